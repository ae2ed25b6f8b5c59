"""A maze with pitfalls, whose cells an agent observes as random vectors.

Kitamura et al., "Regularization and Variance-Weighted Regression Achieves Minimax
Optimality in Linear MDPs", ICML 2023, section 7.2.1 (deep variance weighting). Here an
agent walks through the maze; the authors sample every state at once.

The agent starts at the top left and gets reward 1 at the goal. Goal and pitfalls end
the episode. With probability `slip` a move goes in a random direction. Each state has
its own observation, a vector of five normal numbers drawn with the layout.

Deviations:
- How the authors draw walls is not known. Here a maze is carved depth first, then
  further walls are opened; the goal is the cell farthest from the start, and pitfalls
  lie at random cells that leave a path to the goal.
- The goal ends the episode, as in an episodic task; an episode is truncated, with
  discount 1, after `episode_steps`.
"""

from collections import deque
from dataclasses import dataclass

import dm_env
import numpy as np
from dm_env import specs

from environments import vector
from environments.checks import InvalidSetting

FEATURES = 5  # of a state
_CELL = 12  # pixels
_WALL, _FREE, _PITFALL, _GOAL = range(4)
_COLOURS = np.array([(70, 70, 80), (0, 0, 0), (200, 60, 60), (90, 200, 110)], np.uint8)
_PLAYER_COLOUR = (90, 160, 250)
_MOVES = ((0, 0), (-1, 0), (0, 1), (1, 0), (0, -1))  # stay, up, right, down, left
_OPENED = 0.1  # share of the walls between two corridors that are opened
_FRAMES_PER_SECOND = 10.0


@dataclass(frozen=True)
class Maze:
    """One maze; its layout does not depend on the seed of the run.

    Attributes:
        size: cells in a row and in a column, the border included; odd.
        pitfalls: cells that end the episode without reward.
        slip: probability that a move goes in one of the five directions at random.
        layout: seed of the walls, pitfalls, goal and observation vectors.
        episode_steps: agent steps after which an episode is truncated.
    """

    size: int = 25
    pitfalls: int = 8
    slip: float = 0.1
    layout: int = 0
    episode_steps: int = 1_000

    def __post_init__(self) -> None:
        if self.size < 5 or self.size % 2 == 0:
            raise InvalidSetting("environment.size", self.size, "odd and at least 5")
        if self.pitfalls < 0:
            raise InvalidSetting("environment.pitfalls", self.pitfalls, "at least 0")
        if not 0.0 <= self.slip <= 1.0:
            raise InvalidSetting("environment.slip", self.slip, "between 0 and 1")
        if self.layout < 0:
            raise InvalidSetting("environment.layout", self.layout, "at least 0")
        if self.episode_steps < 1:
            raise InvalidSetting(
                "environment.episode_steps", self.episode_steps, "at least 1"
            )


def draw(config: Maze) -> np.ndarray:
    """`[size, size]` kinds of cells: wall 0, free 1, pitfall 2, goal 3.

    Raises:
        InvalidSetting: the pitfalls would leave no path to the goal.
    """
    generator = np.random.default_rng(config.layout)
    cells = _carve(config.size, generator)
    lengths = distances(cells)
    goal = max(lengths, key=lambda cell: (lengths[cell], cell))
    cells[goal] = _GOAL
    candidates = [cell for cell in lengths if cell not in ((1, 1), goal)]
    left = config.pitfalls
    for index in generator.permutation(len(candidates)):
        if not left:
            break
        cells[candidates[index]] = _PITFALL
        if goal in distances(cells):
            left -= 1
        else:
            cells[candidates[index]] = _FREE
    if left:
        raise InvalidSetting(
            "environment.pitfalls",
            config.pitfalls,
            f"at most {config.pitfalls - left}, to leave a path to the goal",
        )
    return cells


def distances(cells: np.ndarray) -> dict[tuple[int, int], int]:
    """Fewest moves from the start to each cell that is reachable without a pitfall."""
    found = {(1, 1): 0}
    waiting = deque(found)
    while waiting:
        row, column = waiting.popleft()
        for down, right in _MOVES[1:]:
            cell = (row + down, column + right)
            if cell not in found and cells[cell] in (_FREE, _GOAL):
                found[cell] = found[row, column] + 1
                waiting.append(cell)
    return found


def _carve(size: int, generator: np.random.Generator) -> np.ndarray:
    """Carves corridors between odd coordinates, depth first; then opens some walls."""
    cells = np.full((size, size), _WALL)
    cells[1, 1] = _FREE
    path = [(1, 1)]
    while path:
        row, column = path[-1]
        ways = [
            (row + 2 * down, column + 2 * right)
            for down, right in _MOVES[1:]
            if 0 < row + 2 * down < size
            and 0 < column + 2 * right < size
            and cells[row + 2 * down, column + 2 * right] == _WALL
        ]
        if not ways:
            path.pop()
            continue
        to = ways[int(generator.integers(len(ways)))]
        cells[to] = cells[(row + to[0]) // 2, (column + to[1]) // 2] = _FREE
        path.append(to)
    rows, columns = np.nonzero(cells == _WALL)
    for row, column in zip(rows, columns, strict=True):
        inside = 0 < row < size - 1 and 0 < column < size - 1
        between = inside and (row + column) % 2 == 1
        if between and generator.random() < _OPENED:
            cells[row, column] = _FREE
    return cells


class Game(dm_env.Environment):
    """Walks through one maze; observations are `[5]` float32, one vector per cell.

    Args:
        config: the maze.
        seed: of the slips.
    """

    def __init__(self, config: Maze, seed: int):
        self._config = config
        self._cells = draw(config)
        generator = np.random.default_rng([config.layout, 1])
        shape = (*self._cells.shape, FEATURES)
        self._vectors = generator.standard_normal(shape).astype(np.float32)
        self._generator = np.random.default_rng(seed)
        self._reset_next = True

    def reset(self) -> dm_env.TimeStep:
        """Starts a new episode at the top left."""
        self._reset_next = False
        self._steps = 0
        self._cell = (1, 1)
        return dm_env.restart(self._observation())

    def step(self, action: int) -> dm_env.TimeStep:
        """Moves unless a wall is in the way. After a LAST the step is a FIRST."""
        if self._reset_next:
            return self.reset()
        if self._generator.random() < self._config.slip:
            action = int(self._generator.integers(len(_MOVES)))
        down, right = _MOVES[action]
        to = (self._cell[0] + down, self._cell[1] + right)
        if self._cells[to] != _WALL:
            self._cell = to
        self._steps += 1
        kind = self._cells[self._cell]
        if kind in (_GOAL, _PITFALL):
            self._reset_next = True
            return dm_env.termination(float(kind == _GOAL), self._observation())
        if self._steps == self._config.episode_steps:
            self._reset_next = True
            return dm_env.truncation(0.0, self._observation())
        return dm_env.transition(0.0, self._observation())

    def observation_spec(self) -> specs.Array:
        """`[5]` float32, fixed for each cell."""
        return specs.Array((FEATURES,), np.float32, "features")

    def action_spec(self) -> specs.DiscreteArray:
        """Stay, up, right, down, left."""
        return specs.DiscreteArray(len(_MOVES), np.int32, "action")

    def render(self) -> np.ndarray:
        """`[12 size, 12 size, 3]` uint8 plan of the maze."""
        picture = _COLOURS[self._cells]
        picture[self._cell] = _PLAYER_COLOUR
        return picture.repeat(_CELL, axis=0).repeat(_CELL, axis=1)

    @property
    def frames_per_second(self) -> float:
        """Agent steps per second of playback."""
        return _FRAMES_PER_SECOND

    def _observation(self) -> np.ndarray:
        return self._vectors[self._cell]


def make(
    config: Maze, num_environments: int, seed: int, evaluation: bool = False
) -> vector.Batched:
    """N walks through the same maze, each with its own slips."""
    seeds = vector.lane_seeds(num_environments, seed)
    return vector.Batched([Game(config, seed) for seed in seeds])
