"""Reads and checks the `metadata.json` of a Minari dataset.

Layout: Minari 0.5, `minari/dataset/minari_storage.py` and `minari/serialization.py`.
"""

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from agents.parts.contract import Spec
from environments.action_scaling import Canonical
from launch.datasets.column_file import AGAIN
from launch.datasets.columns import same_shape
from launch.errors import DatasetError

FILE = "metadata.json"


class Metadata(NamedTuple):
    """What a dataset's metadata tell.

    Attributes:
        episodes: number of episodes.
        steps: number of steps of all episodes together.
        bounds: of the actions.
        environment: gymnasium's name of the environment; None: not recorded.
        settings: keyword arguments with which the environment was made.
        reference: returns that score 0 and 100; None: not recorded.
    """

    episodes: int
    steps: int
    bounds: Canonical
    environment: str | None
    settings: dict[str, Any]
    reference: tuple[float, float] | None


def read(data: Path, spec: Spec) -> Metadata:
    """Reads the metadata in a dataset's `data` directory.

    Args:
        data: the directory.
        spec: of the environment to learn for.

    Raises:
        DatasetError: a key is missing or wrong, or the spaces do not fit the spec.
    """
    file = data / FILE
    plain = _object(f"{file}", _text(file))
    form = _value(file, plain, "data_format", str)
    if form != "hdf5":
        raise DatasetError(
            f"{file}: data_format must be hdf5, got {form!r}: write the dataset again "
            "with Minari's data_format='hdf5'"
        )
    episodes = _count(file, plain, "total_episodes")
    steps = _count(file, plain, "total_steps")
    _box(file, plain, "observation_space", spec.observation.shape)
    low, high = _box(file, plain, "action_space", spec.action.shape)
    name, settings = _environment(file, plain)
    reference = _reference(file, plain)
    bounds = _bounds(f"{file}: action_space", low, high, spec.action.shape)
    return Metadata(episodes, steps, bounds, name, settings, reference)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DatasetError(f"cannot read {file}: {reason}; {AGAIN}") from error


def _object(where: str, text: str) -> dict[str, Any]:
    """The JSON object that a text spells."""
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DatasetError(f"{where} must be JSON, got {reason}; {AGAIN}") from error
    if not isinstance(plain, dict):
        kind = type(plain).__name__
        raise DatasetError(f"{where} must be a JSON object, got a {kind}; {AGAIN}")
    return plain


def _value(file: Path, plain: dict[str, Any], key: str, kind: type) -> Any:
    """The value of a key that must be there, of this type."""
    if key not in plain:
        raise DatasetError(f"{file} has no {key}; {AGAIN}")
    value = plain[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        wanted = {str: "a string", int: "an integer"}[kind]
        raise DatasetError(f"{file}: {key} must be {wanted}, got {value!r}; {AGAIN}")
    return value


def _count(file: Path, plain: dict[str, Any], key: str) -> int:
    count = _value(file, plain, key, int)
    if count < 1:
        raise DatasetError(f"{file}: {key} must be at least 1, got {count}; {AGAIN}")
    return count


def _box(
    file: Path, plain: dict[str, Any], key: str, shape: tuple[int, ...]
) -> tuple[Any, Any]:
    """The bounds of a space, as they are written.

    Raises:
        DatasetError: the space is missing or wrong, or does not fit the environment.
    """
    where = f"{file}: {key}"
    space = _object(where, _value(file, plain, key, str))
    missing = [name for name in ("type", "shape", "low", "high") if name not in space]
    kind = space.get("type")
    if isinstance(kind, str) and kind != "Box":
        raise DatasetError(f"{where} must be a Box, got a {kind}: {_remedy(key, kind)}")
    if missing:
        raise DatasetError(f"{where} has no {missing[0]}; {AGAIN}")
    sizes = space["shape"]
    if kind != "Box" or not isinstance(sizes, list) or not all(map(_is_size, sizes)):
        raise DatasetError(
            f"{where} must be a Box with a list of sizes as its shape, got {kind!r} "
            f"with {sizes!r}; {AGAIN}"
        )
    if not same_shape(tuple(sizes), shape):
        remedy = "choose the environment that the dataset is from"
        if len(sizes) > 1 and len(shape) < 2:
            remedy = (
                "these look like images, and agents that learn from a dataset take "
                "vectors: choose another dataset"
            )
        raise DatasetError(
            f"{where} has shape {tuple(sizes)}, the environment's {shape}: {remedy}"
        )
    return space["low"], space["high"]


def _is_size(size: Any) -> bool:
    return isinstance(size, int) and not isinstance(size, bool) and size >= 0


def _remedy(key: str, kind: str) -> str:
    """What to do if a space is of another kind than Box."""
    if key == "action_space":
        if kind in ("Discrete", "MultiDiscrete", "MultiBinary"):
            return (
                "agents that learn from a dataset take continuous actions; choose a "
                "dataset with continuous actions"
            )
        return "write the dataset again with each action as one vector"
    if kind in ("Dict", "Tuple"):
        return (
            "collect the dataset again from the environment within gymnasium's "
            "FlattenObservation, and learn for that environment"
        )
    return "choose a dataset whose observations are vectors of numbers"


def _bounds(where: str, low: Any, high: Any, shape: tuple[int, ...]) -> Canonical:
    try:
        bounds = [np.asarray(each, np.float64).reshape(shape) for each in (low, high)]
    except (TypeError, ValueError, OverflowError) as error:
        raise DatasetError(
            f"{where}: low and high must be numbers of shape {shape}; {AGAIN}"
        ) from error
    lows, highs = bounds
    bad = np.flatnonzero(~(np.isfinite(lows) & np.isfinite(highs) & (lows < highs)))
    if len(bad):
        i = bad[0]
        raise DatasetError(
            f"{where}: actions must have finite bounds, low below high, got "
            f"{lows.flat[i]} and {highs.flat[i]} for number {i} of an action: write "
            "the bounds of the environment's own actions into low and high"
        )
    return Canonical(lows, highs)


def _environment(file: Path, plain: dict[str, Any]) -> tuple[str | None, dict]:
    """Name and keyword arguments of the environment; None if not recorded."""
    if plain.get("env_spec") is None:
        return None, {}
    where = f"{file}: env_spec"
    spec = _object(where, _value(file, plain, "env_spec", str))
    if "id" not in spec:
        raise DatasetError(f"{where} has no id; {AGAIN}")
    name, settings = spec["id"], spec.get("kwargs") or {}
    if not isinstance(name, str) or not name.isprintable():
        raise DatasetError(f"{where}: id must be plain text, got {name!r}; {AGAIN}")
    if not isinstance(settings, dict):
        raise DatasetError(
            f"{where}: kwargs must be a JSON object, got {settings!r}; {AGAIN}"
        )
    return name, settings


def _reference(file: Path, plain: dict[str, Any]) -> tuple[float, float] | None:
    scores = []
    for key in ("ref_min_score", "ref_max_score"):
        score = plain.get(key)
        if score is None:
            return None
        number = isinstance(score, int | float) and not isinstance(score, bool)
        if not number or not math.isfinite(score):
            raise DatasetError(
                f"{file}: {key} must be a finite number, got {score!r}; {AGAIN}"
            )
        scores.append(float(score))
    low, high = scores
    if low >= high:
        raise DatasetError(
            f"{file}: ref_min_score must be below ref_max_score, got {low} and {high}; "
            f"{AGAIN}"
        )
    return low, high
