"""What agents act on: environments under dm_env's protocol, made from a config.

A config is a small frozen value that can be written to a file and typed on a command
line; it is checked when it is made, and nothing is imported or built before `make`.
"""

from collections.abc import Callable
from typing import Any

import dm_env

from environments import (
    adroit,
    atari,
    catch,
    classic,
    control_suite,
    locomotion,
    maze,
    minatar,
    render,
)
from environments.adroit import Adroit
from environments.atari import Atari
from environments.catch import Catch
from environments.classic import Classic
from environments.control_suite import ControlSuite
from environments.locomotion import Locomotion
from environments.maze import Maze
from environments.minatar import MinAtar
from environments.render import Rendered
from environments.vector import Batched, Single, VectorEnvironment

__all__ = [
    "Adroit",
    "Atari",
    "Batched",
    "Catch",
    "Classic",
    "Config",
    "Continuous",
    "ControlSuite",
    "Locomotion",
    "Maze",
    "MinAtar",
    "Rendered",
    "Single",
    "VectorEnvironment",
    "make",
    "make_rendered",
    "make_single",
]

Continuous = Locomotion | ControlSuite | Adroit  # their actions are in [-1, 1]
Config = Atari | MinAtar | Classic | Catch | Maze | Continuous

_MAKE: dict[type, Callable[[Any, int, int], VectorEnvironment]] = {
    MinAtar: minatar.make,
    Classic: classic.make,
    Catch: catch.make,
    Maze: maze.make,
    Locomotion: locomotion.make,
    ControlSuite: control_suite.make,
    Adroit: adroit.make,
}


def make(
    config: Config, num_environments: int, seed: int, evaluation: bool = False
) -> VectorEnvironment:
    """N environments that are stepped together.

    Args:
        config: which environment.
        num_environments: N, at least 1.
        seed: of all randomness; each lane has its own generator. Equal seeds give equal
            streams for equal actions.
        evaluation: whether episodes are played to be reported, not learnt from; differs
            under Atari's `nature` protocol only.

    Returns:
        An environment that no one else uses; `close` it.

    Raises:
        ValueError: if `num_environments` is less than 1.
        TypeError: if `config` is not an environment config.
    """
    if num_environments < 1:
        raise ValueError(f"num_environments is {num_environments}: at least 1")
    if isinstance(config, Atari):
        return atari.Vector(config, num_environments, seed, evaluation)
    if type(config) not in _MAKE:
        raise TypeError(
            f"environment is {config!r}: none of the configs in environments"
        )
    return _MAKE[type(config)](config, num_environments, seed)


def make_single(
    config: Config, seed: int, evaluation: bool = False
) -> dm_env.Environment:
    """One environment; lane 0 of a vector of one that has the same seed.

    Args:
        config: which environment.
        seed: as for `make`.
        evaluation: as for `make`.

    Returns:
        A plain dm_env environment; `close` it.
    """
    return Single(make(config, 1, seed, evaluation))


def make_rendered(config: Config, seed: int) -> Rendered:
    """One environment to be evaluated and watched at once.

    Args:
        config: which environment.
        seed: as for `make`; equal seeds give the streams that `make` gives.

    Returns:
        A vector of one, which acts as the one of `make(config, 1, seed, True)`, and the
        pictures of it.

    Raises:
        TypeError: if `config` is not an environment config.
    """
    return render.make(config, seed)
