"""Compares the environment of a dataset with the one to learn for, by name.

Sources: the version histories in gymnasium 1.x's `gymnasium/envs/mujoco/*_v5.py`, and
`environments.adroit`.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import environments
from launch.datasets import d4rl_scores
from launch.datasets.source_environment import family
from launch.errors import DatasetError

_HEALTHY = "before version 5 the step that ends an episode is paid as healthy"
_AFTER = "before version 5 the reward is of the state before the step"

# How rewards differ from those of version 5, by gymnasium's names. HalfCheetah, Swimmer
# and HumanoidStandup pay the same.
_BEFORE_5 = {
    "Ant": f"{_HEALTHY}, and version 4 has no contact cost",
    "Hopper": _HEALTHY,
    "Humanoid": f"{_HEALTHY}, and version 4 has no contact cost",
    "InvertedDoublePendulum": _HEALTHY,
    "InvertedPendulum": _HEALTHY,
    "Pusher": _AFTER,
    "Reacher": _AFTER,
    "Walker2d": f"{_HEALTHY}, and its feet have unequal friction",
}

# How gymnasium-robotics differs from D4RL, whose rewards `environments.adroit` pays.
_DISTANCE = "it pays 0.1 for each metre between palm and object, which ours subtracts"
_ROBOTICS = {
    "AdroitHandDoor": _DISTANCE,
    "AdroitHandHammer": _DISTANCE,
    "AdroitHandPen": "its episodes last 200 steps and go on after the pen is dropped",
    "AdroitHandRelocate": _DISTANCE,
}

# Keyword arguments that only change pictures.
_SHOWN = ("camera_id", "camera_name", "default_camera_config", "height", "width")

# Files of D4RL, such as hopper_medium-v2.hdf5, and hopper_medium.hdf5 of its version 0,
# of which gym's version 2 of the environment is the source.
_D4RL_FILE = re.compile(
    r"(ant|halfcheetah|hopper|walker)(?:2d)?"
    r"(?:[-_](?:random|medium|expert|full|mixed)[a-z_-]*-v[0-2]"
    r"|_(?:random|medium|expert|full|mixed)[a-z_]*)"
)
_VERSION = re.compile(r"-v\d+$")  # of an id of gymnasium
_D4RL_FAMILIES = {
    "ant": "Ant",
    "halfcheetah": "HalfCheetah",
    "hopper": "Hopper",
    "walker": "Walker2d",
}


def check(
    source: str,
    name: str | None,
    settings: Mapping[str, Any],
    own: tuple[float, float] | None,
    environment: environments.Config | None,
) -> list[str]:
    """Lines about rewards and scores that differ.

    Walker2d and HalfCheetah have equal shapes, so shapes do not tell them apart.

    Args:
        source: the dataset, for messages.
        name: gymnasium's name of its environment; None: not recorded.
        settings: keyword arguments with which that environment was made.
        own: the returns that score 0 and 100 by the dataset.
        environment: the environment to learn for; None: nothing is compared.

    Raises:
        DatasetError: the dataset is of another environment.
    """
    if environment is None:
        return []
    if isinstance(environment, environments.Gymnasium) and name is not None:
        return _check_own(source, name, settings, environment)
    wanted = family(environment)
    used = d4rl_scores.reference(environment)
    if name is None:
        if wanted is None:
            return []
        return [
            f"{source}: env_spec is missing, so it is unknown whether the dataset is "
            f"from {wanted} and which rewards it pays"
        ]
    if wanted is None:
        return [
            f"{source}: env_spec is {name}, which has no counterpart among our names: "
            f"it is not compared with {environment}"
        ]
    kind, _, version = name.rpartition("/")[2].rpartition("-v")
    if kind != wanted:
        raise DatasetError(
            f"{source}: env_spec is {name}, the environment is {wanted}: choose the "
            "environment that the dataset is from"
        )
    why = _difference(kind, version, settings)
    scores = _scores(used, own)
    if why:
        return [
            f"{source}: {name} pays other rewards than our {environment}: {why}; "
            f"{scores}"
        ]
    return [f"{source}: {scores}"] if used and own not in (None, used) else []


def _check_own(
    source: str,
    name: str,
    settings: Mapping[str, Any],
    environment: "environments.Gymnasium",
) -> list[str]:
    """Lines about a dataset that may not be of an environment with gymnasium's id.

    Raises:
        DatasetError: gymnasium has other names for the two.
    """
    wanted = environment.id.rpartition(":")[2]
    kinds = [_VERSION.sub("", each) for each in (name, wanted)]
    if wanted == kinds[1]:  # a function or class, which has no id
        return [
            f"{source}: env_spec is {name}, which is not compared with "
            f"{environment.id}, since that is no id of gymnasium's"
        ]
    if kinds[0] != kinds[1]:
        raise DatasetError(
            f"{source}: env_spec is {name}, the environment is {wanted}: choose the "
            "environment that the dataset is from"
        )
    lines = []
    if name != wanted:
        lines.append(
            f"{source}: env_spec is {name}, the environment is {wanted}: its version "
            "may act or pay otherwise"
        )
    given, own = _unshown(settings), _unshown(environment.kwargs)
    if given != own:
        lines.append(
            f"{source}: its environment was made with {given}, ours with {own}"
        )
    return lines


def check_file(path: Path, environment: environments.Config) -> list[str]:
    """A line about rewards that differ, if the name of a file is one of D4RL's.

    Raises:
        DatasetError: the file is of another environment by its name.
    """
    match = _D4RL_FILE.fullmatch(path.stem.lower())
    wanted = family(environment)
    # D4RL's own files of the hand tasks hold the rewards that ours pay.
    if match is None or wanted is None or wanted in _ROBOTICS:
        return []
    kind = _D4RL_FAMILIES[match[1]]
    if kind != wanted:
        raise DatasetError(
            f"{path}: the file has the name of D4RL's {kind}, the environment is "
            f"{wanted}: choose the environment that the dataset is from, or rename the "
            "file"
        )
    return check(f"{path}, by its name D4RL's", f"{kind}-v2", {}, None, environment)


def _difference(kind: str, version: str, settings: Mapping[str, Any]) -> str:
    """How a dataset's rewards differ from ours; empty: they do not."""
    if kind in _ROBOTICS:
        return _ROBOTICS[kind]
    parts = []
    if version.isdecimal() and int(version) < 5 and kind in _BEFORE_5:
        parts.append(_BEFORE_5[kind])
    changed = _unshown(settings)
    if changed:
        parts.append(f"it was made with {changed}")
    return ", and ".join(parts)


def _unshown(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Keyword arguments without those that only change pictures."""
    return {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in settings.items()
        if key not in _SHOWN and not key.startswith("render")
    }


def _scores(used: tuple[float, float] | None, own: tuple[float, float] | None) -> str:
    """Which reference scores are used, in a few words."""
    if used is None:
        return "D4RL has no reference scores for it, so none are used"
    shown = f"normalised scores use D4RL's, {used[0]:.6g} to {used[1]:.6g}"
    if own in (None, used):
        return shown
    return f"{shown}, not the dataset's own, {own[0]:.6g} to {own[1]:.6g}"
