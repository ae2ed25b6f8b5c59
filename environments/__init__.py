"""Environments under dm_env's protocol, each built from a small config.

A config is a small frozen dataclass that can be written to a file and typed on a
command line. Its constructor checks its fields; only `make` builds the environment.

Each kind of environment is a module with a config class and `make(config,
num_environments, seed, evaluation)`. The module is imported when the class is used, so
that a run imports only its own environment.
"""

import importlib
import sys
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import dm_env

from environments.vector import Batched, Single, VectorEnvironment

if TYPE_CHECKING:
    from environments.adroit import Adroit
    from environments.atari import Atari
    from environments.catch import Catch
    from environments.classic import Classic
    from environments.control_suite import ControlSuite
    from environments.language.arithmetic import Arithmetic
    from environments.language.facts import Facts
    from environments.language.markov import Markov
    from environments.language.preferences import Preferences
    from environments.language.text import Text
    from environments.locomotion import Locomotion
    from environments.maze import Maze
    from environments.minatar import MinAtar
    from environments.own import Gymnasium
    from environments.render import Rendered

__all__ = [
    "KINDS",
    "Adroit",
    "Arithmetic",
    "Atari",
    "Batched",
    "Catch",
    "Classic",
    "Config",
    "ControlSuite",
    "Facts",
    "Gymnasium",
    "Locomotion",
    "Markov",
    "Maze",
    "MinAtar",
    "Preferences",
    "Rendered",
    "Single",
    "Text",
    "VectorEnvironment",
    "config_class",
    "make",
    "make_rendered",
    "make_single",
    "try_out",
]

# The module of each config class. A class's name is the `kind` in `config.yaml`.
KINDS = {
    "Adroit": "environments.adroit",
    "Arithmetic": "environments.language.arithmetic",
    "Atari": "environments.atari",
    "Catch": "environments.catch",
    "Classic": "environments.classic",
    "ControlSuite": "environments.control_suite",
    "Facts": "environments.language.facts",
    "Gymnasium": "environments.own",
    "Locomotion": "environments.locomotion",
    "Markov": "environments.language.markov",
    "Maze": "environments.maze",
    "MinAtar": "environments.minatar",
    "Preferences": "environments.language.preferences",
    "Text": "environments.language.text",
}


class Config(Protocol):
    """Any config class of this package: a frozen dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


def __getattr__(name: str) -> Any:
    """Imports a config class, or `Rendered`, on first use."""
    if name in KINDS:
        return config_class(name)
    if name == "Rendered":
        return importlib.import_module("environments.render").Rendered
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def config_class(kind: str) -> type:
    """Returns the config class named `kind`.

    Raises:
        ValueError: no kind of environment has this name; the message suggests the
            nearest if one is near.
    """
    if kind not in KINDS:
        close = get_close_matches(str(kind), KINDS, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(
            f"the kind of an environment must be one of {', '.join(KINDS)}, got "
            f"{kind!r}{hint}"
        )
    return getattr(importlib.import_module(KINDS[kind]), kind)


def make(
    config: Config, num_environments: int, seed: int, evaluation: bool = False
) -> VectorEnvironment:
    """N environments that are stepped together.

    Args:
        config: which environment.
        num_environments: N, at least 1.
        seed: of all randomness; each lane has its own generator. Equal seeds give equal
            streams for equal actions.
        evaluation: whether the episodes are for evaluation instead of training; makes a
            difference where Atari's lost lives end the discount in training only.

    Returns:
        A new environment; the caller must `close` it.

    Raises:
        ValueError: if `num_environments` is less than 1.
        TypeError: if `config` is not an environment config.
    """
    if num_environments < 1:
        raise ValueError(f"num_environments must be at least 1, got {num_environments}")
    cls = type(config)
    if KINDS.get(cls.__name__) != cls.__module__:
        raise TypeError(f"config must be an environment's config, got {config!r}")
    module: Any = sys.modules[cls.__module__]
    return module.make(config, num_environments, seed, evaluation)


def make_single(
    config: Config, seed: int, evaluation: bool = False
) -> dm_env.Environment:
    """One environment, which equals lane 0 of `make` with the same seed.

    Args:
        config: which environment.
        seed: as for `make`.
        evaluation: as for `make`.

    Returns:
        A plain dm_env environment; the caller must `close` it.
    """
    return Single(make(config, 1, seed, evaluation))


def try_out(config: Config, seed: int) -> None:
    """Takes a few steps in an environment of a user, before a run begins.

    Does nothing for all other kinds, whose environments are tested here.

    Raises:
        EnvironmentFailed: the environment breaks the rules of its interface.
    """
    if type(config).__name__ == "Gymnasium":
        from environments import own

        own.try_out(config, seed)  # type: ignore[arg-type]


def make_rendered(config: Config, seed: int) -> "Rendered":
    """One environment that is evaluated and rendered at the same time.

    Args:
        config: which environment.
        seed: as for `make`; equal seeds give the streams that `make` gives.

    Returns:
        A vector of one, which behaves as `make(config, 1, seed, True)`, with a function
        that renders it.

    Raises:
        TypeError: if `config` is not an environment config.
    """
    from environments import render

    return render.make(config, seed)
