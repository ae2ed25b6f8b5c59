"""MinAtar: five Atari games in miniature, on a board of ten by ten cells.

Young and Tian, "MinAtar: An Atari-Inspired Testbed for Thorough and Reproducible
Reinforcement Learning Experiments", 2019, https://arxiv.org/abs/1903.03176. The games
are those of the package `minatar`, from 1.0.15 on.

An episode that the game ends has discount 0 at its end; so has Freeway's, which the
game ends after 2,500 steps. Reaching `episode_steps` is a truncation, with discount 1.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import dm_env
import numpy as np
from dm_env import specs

from environments import vector
from environments.checks import InvalidSetting, check_choice

GameName = Literal["asterix", "breakout", "freeway", "seaquest", "space_invaders"]

FRAMES_PER_SECOND = 20.0  # at which the package itself shows games
_CELL = 24  # pixels
# Colour of each channel of each game, in the order of painting: the last is on top.
# Trails, which only show directions and speeds, are dim.
_COLOURS = {
    "trail": (70, 70, 80),
    "speed5": (50, 50, 60),
    "speed4": (65, 65, 75),
    "speed3": (80, 80, 90),
    "speed2": (95, 95, 105),
    "speed1": (110, 110, 120),
    "oxygen_guage": (120, 190, 240),
    "diver_guage": (240, 150, 200),
    "brick": (200, 90, 60),
    "alien": (120, 200, 90),
    "alien_left": (120, 200, 90),
    "alien_right": (160, 200, 60),
    "diver": (240, 150, 200),
    "gold": (240, 200, 60),
    "car": (220, 80, 70),
    "enemy": (220, 80, 70),
    "enemy_fish": (220, 130, 60),
    "enemy_sub": (220, 80, 70),
    "enemy_bullet": (250, 60, 130),
    "friendly_bullet": (250, 250, 250),
    "ball": (250, 250, 250),
    "sub_back": (50, 100, 170),
    "sub_front": (90, 160, 250),
    "paddle": (90, 160, 250),
    "cannon": (90, 160, 250),
    "chicken": (240, 200, 60),
    "player": (90, 160, 250),
}


@dataclass(frozen=True)
class MinAtar:
    """One game of MinAtar; the defaults are the package's, which papers use.

    Attributes:
        game: which game.
        sticky_actions: probability that the game repeats the last action instead of
            the new one; the last action of an episode carries over to the next.
        difficulty_ramping: whether Asterix, Seaquest and Space Invaders become faster
            during an episode; Breakout and Freeway never do.
        minimal_actions: only the actions that have an effect in the game (Asterix 5,
            Breakout 3, Freeway 3, Seaquest 6, Space Invaders 4) instead of all 6.
        episode_steps: agent steps after which an episode is truncated.
    """

    game: GameName = "asterix"
    sticky_actions: float = 0.1
    difficulty_ramping: bool = True
    minimal_actions: bool = False
    episode_steps: int = 10_000

    def __post_init__(self) -> None:
        check_choice("environment.game", self.game, get_args(GameName))
        if not 0.0 <= self.sticky_actions <= 1.0:
            raise InvalidSetting(
                "environment.sticky_actions", self.sticky_actions, "between 0 and 1"
            )
        if self.episode_steps < 1:
            raise InvalidSetting(
                "environment.episode_steps", self.episode_steps, "at least 1"
            )


class Game(dm_env.Environment):
    """One game; observations are `[C, 10, 10]` bool, one channel per kind of object.

    Observations are views of arrays with channels last, made anew at each step.

    Args:
        config: which game, and how it is played.
        seed: of everything random: the game and its sticky actions.
    """

    def __init__(self, config: MinAtar, seed: int):
        from minatar.environment import Environment  # imports matplotlib: a second

        self._game = Environment(
            config.game,
            sticky_action_prob=config.sticky_actions,
            difficulty_ramping=config.difficulty_ramping,
        )
        self._game.seed(seed)  # takes effect at a reset; unseeded, games differ
        self._channels = dict(self._game.env.channels)
        self._actions = (
            list(self._game.minimal_action_set())
            if config.minimal_actions
            else list(range(self._game.num_actions()))
        )
        self._episode_steps = config.episode_steps
        self._reset_next = True

    def reset(self) -> dm_env.TimeStep:
        """Starts a new episode."""
        self._reset_next = False
        self._steps = 0
        self._game.reset()
        return dm_env.restart(self._observation())

    def step(self, action: int) -> dm_env.TimeStep:
        """Steps once; after a LAST the action is ignored and the step is a FIRST."""
        if self._reset_next:
            return self.reset()
        reward, terminal = self._game.act(self._actions[action])
        self._steps += 1
        if terminal:
            self._reset_next = True
            return dm_env.termination(float(reward), self._observation())
        if self._steps == self._episode_steps:
            self._reset_next = True
            return dm_env.truncation(float(reward), self._observation())
        return dm_env.transition(float(reward), self._observation())

    def observation_spec(self) -> specs.BoundedArray:
        """`[C, 10, 10]` bool: whether there is an object of kind C in a cell."""
        shape = (len(self._channels), 10, 10)
        return specs.BoundedArray(shape, bool, False, True, "channels")

    def action_spec(self) -> specs.DiscreteArray:
        """No-op, left, up, right, down, fire, or only the ones that have an effect."""
        return specs.DiscreteArray(len(self._actions), np.int32, "action")

    def render(self) -> np.ndarray:
        """`[240, 240, 3]` uint8 picture of the board."""
        board = self._observation()
        picture = np.zeros((10, 10, 3), np.uint8)
        for name, colour in _COLOURS.items():
            if name in self._channels:
                picture[board[self._channels[name]]] = colour
        return picture.repeat(_CELL, axis=0).repeat(_CELL, axis=1)

    def _observation(self) -> np.ndarray:
        return self._game.state().transpose(2, 0, 1)


def make(
    config: MinAtar, num_environments: int, seed: int, evaluation: bool = False
) -> vector.Batched:
    """N games, each with its own generator."""
    seeds = vector.lane_seeds(num_environments, seed)
    return vector.Batched([Game(config, seed) for seed in seeds])
