"""Writes and reads a policy's parameters as one small file, without pickles."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from agents.parts.contract import Params
from launch.errors import RunDirectoryError

_SEPARATOR = "/"


def save(path: Path, params: Params) -> None:
    """Writes the parameters of all networks, each array by its path in the tree.

    Args:
        path: of the file, ending in `.npz`.
        params: nested dictionaries and lists of arrays, as in `TrainingState.params`.
    """
    np.savez_compressed(path, **_flat(params))


def load(path: Path, expected: Params) -> Params:
    """Reads the parameters that `save` wrote.

    Args:
        path: of the file.
        expected: the agent's parameters, or their shapes, without values.

    Raises:
        RunDirectoryError: the file cannot be read, or does not fit the agent.
    """
    from flax import serialization, traverse_util

    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())
        raise RunDirectoryError(f"cannot read {path}: {reason}") from error
    needed = _flat(expected)
    shapes = {name: list(array.shape) for name, array in arrays.items()}
    for name, leaf in needed.items():
        if shapes.get(name) != list(leaf.shape):
            raise RunDirectoryError(
                f"{path} does not fit the agent: {name} must have shape "
                f"{list(leaf.shape)}, got {shapes.get(name, 'no array')}"
            )
    kept = {name: arrays[name] for name in needed}
    nested = traverse_util.unflatten_dict(kept, sep=_SEPARATOR)
    return serialization.from_state_dict(expected, nested)


def _flat(params: Params) -> dict[str, Any]:
    """The leaves by their paths; an element of a list has its number as name."""
    from flax import serialization, traverse_util

    nested = serialization.to_state_dict(params)
    return traverse_util.flatten_dict(nested, sep=_SEPARATOR)
