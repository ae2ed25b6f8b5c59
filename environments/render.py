"""Rendered environments: an environment to act in, and pictures of it for people."""

from collections.abc import Callable
from typing import Any, NamedTuple

import dm_env
import numpy as np
from dm_env import specs

from environments import (
    adroit,
    atari,
    catch,
    classic,
    locomotion,
    maze,
    minatar,
    mujoco_library,
    own,
    vector,
)
from environments.adroit import Adroit
from environments.atari import Atari
from environments.catch import Catch
from environments.classic import Classic
from environments.control_suite import ControlSuite, Suite
from environments.locomotion import Locomotion
from environments.maze import Maze
from environments.minatar import MinAtar
from environments.own import Gymnasium

_FRAMES_PER_SECOND = 60.0  # of the console
_CATCH_FRAMES_PER_SECOND = 5.0


class Rendered(NamedTuple):
    """An environment and a function that renders it.

    Attributes:
        environment: a vector of one; `close` it.
        render: `[H, W, 3]` uint8 picture of its newest timestep, at its native
            resolution.
        frames_per_second: pictures in a second, one for each timestep, in real time.
    """

    environment: vector.VectorEnvironment
    render: Callable[[], np.ndarray]
    frames_per_second: float


def make(config: Any, seed: int) -> Rendered:
    """Builds `environments.make(config, 1, seed, True)` with pictures of it.

    Args:
        config: which environment.
        seed: of all randomness; rendering uses none.

    Raises:
        TypeError: if `config` is not an environment config.
        ValueError: if MuJoCo must draw and cannot, or a user's environment or a
            language task has no pictures.
    """
    [lane_seed] = vector.lane_seeds(1, seed)
    match config:
        case Atari():
            game = Lockstep(config, seed)
            return Rendered(game, game.render, _FRAMES_PER_SECOND / game.action_repeat)
        case MinAtar():
            miniature = minatar.Game(config, lane_seed)
            return Rendered(
                vector.Batched([miniature]),
                miniature.render,
                minatar.FRAMES_PER_SECOND,
            )
        case Classic():
            return _rendered(classic.make_one(config, lane_seed, rendered=True))
        case Catch():
            board = catch.Game(config, lane_seed)
            return Rendered(
                vector.Batched([board]), board.render, _CATCH_FRAMES_PER_SECOND
            )
        case Maze():
            return _rendered(maze.Game(config, lane_seed))
        case Gymnasium():
            return _rendered(own.make_one(config, lane_seed, rendered=True))
        case Locomotion() | ControlSuite() | Adroit():
            return _rendered(_drawn_by_mujoco(config, lane_seed))
    raise _refusal(config)


def _refusal(config: Any) -> Exception:
    """Why there are no pictures."""
    cls = type(config)
    if cls.__module__.startswith("environments.language."):
        return ValueError(
            f"{cls.__name__} is a language task and has no pictures: read the "
            "completions in samples.jsonl of the run"
        )
    return TypeError(f"config must be an environment's config, got {config!r}")


def _drawn_by_mujoco(config: Locomotion | ControlSuite | Adroit, seed: int) -> Any:
    """A MuJoCo environment that draws off screen, or as MUJOCO_GL sets."""
    mujoco_library.prepare_drawing()
    match config:
        case Locomotion():
            return locomotion.make_one(config, seed, rendered=True)
        case ControlSuite():
            return Suite(config, seed)
        case Adroit():
            return adroit.make_one(config, seed, rendered=True)


def _rendered(single: Any) -> Rendered:
    """A single environment with `render` and `frames_per_second`."""
    return Rendered(vector.Batched([single]), single.render, single.frames_per_second)


class Lockstep:
    """One Atari game in two emulators: one shows the agent's frames, one the screen.

    An emulator renders only one kind of picture. Both get the same seed and the same
    actions, so they play the same game, sticky actions included; every step checks
    this.

    Args:
        config: the game and its protocol.
        seed: of both.
    """

    num_environments = 1

    def __init__(self, config: Atari, seed: int):
        self._played = atari.Vector(config, 1, seed, evaluation=True)
        self._shown = atari.Vector(
            config, 1, seed, evaluation=True, picture=atari.SCREEN
        )
        self.action_repeat = self._played.action_repeat
        self.frame_stack = self._played.frame_stack
        self.reward_clip = self._played.reward_clip

    def reset(self) -> dm_env.TimeStep:
        """Starts a new episode in both."""
        return self._take(self._played.reset(), self._shown.reset())

    def step(self, actions: np.ndarray) -> dm_env.TimeStep:
        """Steps both; `actions` is `[1]`."""
        return self._take(self._played.step(actions), self._shown.step(actions))

    def render(self) -> np.ndarray:
        """`[210, 160, 3]` uint8 screen at the newest timestep."""
        return self._screen

    def _take(self, played: dm_env.TimeStep, shown: dm_env.TimeStep) -> dm_env.TimeStep:
        one = (played.step_type, played.reward, played.discount, self._played.lives)
        other = (shown.step_type, shown.reward, shown.discount, self._shown.lives)
        if not all(map(np.array_equal, one, other)):
            raise RuntimeError(
                "the rendered game must equal the played one, but its step type, "
                f"reward, discount and lives are {other}, not {one}"
            )
        self._screen = shown.observation[0, -1]
        return played

    def observation_spec(self) -> specs.Array:
        """The agent's frames."""
        return self._played.observation_spec()

    def action_spec(self) -> specs.Array:
        """The game's minimal action set."""
        return self._played.action_spec()

    def reward_spec(self) -> specs.Array:
        """The raw change of the game's score, `[]` float32."""
        return self._played.reward_spec()

    def discount_spec(self) -> specs.BoundedArray:
        """Discount of the game, `[]` float32."""
        return self._played.discount_spec()

    def close(self) -> None:
        """Closes both."""
        self._played.close()
        self._shown.close()
