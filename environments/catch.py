"""Catch: move a paddle under a falling ball; the smallest task with a known optimum.

The ball starts at the top of a random column and falls one row per step. The paddle
starts in the middle of the bottom row and moves left (0), stays (1) or moves right (2).
When the ball reaches the bottom row the episode ends with reward 1 if the paddle is
under it and -1 if not; every other reward is 0. The optimal return is 1.
"""

from dataclasses import dataclass

import dm_env
import numpy as np
from dm_env import specs

from environments import vector
from environments.checks import InvalidSetting

_CELL = 24  # pixels
_BALL_COLOUR = (240, 200, 60)
_PADDLE_COLOUR = (90, 160, 250)


@dataclass(frozen=True)
class Catch:
    """Catch on a board of any size on which the ball can always be caught.

    Attributes:
        rows: height of the board; an episode has `rows - 1` actions.
        columns: width of the board.
    """

    rows: int = 10
    columns: int = 5

    def __post_init__(self) -> None:
        if self.rows < 2:
            raise InvalidSetting("environment.rows", self.rows, "at least 2")
        most = 2 * self.rows - 1
        if not 1 <= self.columns <= most:
            raise InvalidSetting(
                "environment.columns",
                self.columns,
                f"between 1 and {most}, so that the paddle reaches every column within "
                f"{self.rows - 1} actions",
            )


class Game(dm_env.Environment):
    """One game of Catch; observations are `[rows, columns]` float32 of zeros and ones.

    Args:
        config: size of the board.
        seed: of the columns that balls start in.
    """

    def __init__(self, config: Catch, seed: int):
        self._rows, self._columns = config.rows, config.columns
        self._generator = np.random.default_rng(seed)
        self._reset_next = True

    def reset(self) -> dm_env.TimeStep:
        """Starts a new episode."""
        self._reset_next = False
        self._paddle = self._columns // 2
        self._ball = int(self._generator.integers(self._columns))
        self._row = 0
        return dm_env.restart(self._board())

    def step(self, action: int) -> dm_env.TimeStep:
        """Moves the paddle, then the ball."""
        if self._reset_next:
            return self.reset()
        self._paddle = min(max(self._paddle + int(action) - 1, 0), self._columns - 1)
        self._row += 1
        if self._row < self._rows - 1:
            return dm_env.transition(0.0, self._board())
        self._reset_next = True
        reward = 1.0 if self._paddle == self._ball else -1.0
        return dm_env.termination(reward, self._board())

    def observation_spec(self) -> specs.BoundedArray:
        """`[rows, columns]` float32, 1 where the ball and the paddle are."""
        shape = (self._rows, self._columns)
        return specs.BoundedArray(shape, np.float32, 0.0, 1.0, "board")

    def action_spec(self) -> specs.DiscreteArray:
        """Left, stay, right."""
        return specs.DiscreteArray(3, np.int32, "action")

    def render(self) -> np.ndarray:
        """`[24 rows, 24 columns, 3]` uint8 picture of the board."""
        picture = np.zeros((self._rows, self._columns, 3), np.uint8)
        picture[-1, self._paddle] = _PADDLE_COLOUR
        picture[self._row, self._ball] = _BALL_COLOUR
        return picture.repeat(_CELL, axis=0).repeat(_CELL, axis=1)

    def _board(self) -> np.ndarray:
        board = np.zeros((self._rows, self._columns), np.float32)
        board[self._row, self._ball] = 1.0
        board[-1, self._paddle] = 1.0
        return board


def make(
    config: Catch, num_environments: int, seed: int, evaluation: bool = False
) -> vector.Batched:
    """N games, each with its own seed."""
    seeds = vector.lane_seeds(num_environments, seed)
    return vector.Batched([Game(config, seed) for seed in seeds])
