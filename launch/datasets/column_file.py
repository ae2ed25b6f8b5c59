"""Reads arrays from HDF5 and npz files; whatever is wrong with a file is one line."""

import contextlib
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from launch.errors import DatasetError

HDF5, NPZ = (".hdf5", ".h5"), ".npz"
SUFFIXES = (*HDF5, NPZ)

AGAIN = "get the dataset again, or correct the file"

# What h5py and numpy raise if a file is broken.
_BROKEN = (
    EOFError,
    KeyError,
    MemoryError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


def is_file(path: Path) -> bool:
    """Whether a path is an existing file, or has the suffix of a dataset's file."""
    return os.path.isfile(path) or path.suffix.lower() in SUFFIXES


def columns(
    path: Path, required: Iterable[str], optional: Iterable[str]
) -> dict[str, np.ndarray]:
    """The arrays of a file with these names, those that it has; others are ignored.

    Args:
        path: of an HDF5 or npz file.
        required: names that the file must have.
        optional: other names.

    Raises:
        DatasetError: the file cannot be read, or lacks a required array.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise DatasetError(
            f"a dataset file must end in .hdf5, .h5 or .npz, got {path}: rename it if "
            "it is one of these, or write its columns with numpy.savez"
        )
    if not os.path.isfile(path):
        place = "" if path.is_absolute() else f" in {Path.cwd()}"
        raise DatasetError(
            f"{path}: no such file{place}: name the dataset's place with --dataset PATH"
        )
    with _opened(path) as file:
        held = names(file, path)
        for name in required:
            if name not in held:
                raise DatasetError(_lacking(path, name, held))
        wanted = [*required, *(name for name in optional if name in held)]
        return {name: array(file, name, f"{path}: ") for name in wanted}


def open_hdf5(path: Path) -> Any:
    """The open file; the caller closes it.

    Raises:
        DatasetError: the file cannot be read, or is not HDF5.
    """
    import h5py

    try:
        # Some file systems have no locks; a file being written is still refused.
        return h5py.File(path, "r", locking="best-effort")
    except _BROKEN as error:
        raise DatasetError(
            f"cannot read {path} as HDF5: {_reason(error)}; {AGAIN}"
        ) from error


def names(group: Any, where: Any) -> list[str]:
    """The names in an HDF5 group or npz file, at the place `where`.

    Raises:
        DatasetError: they cannot be read.
    """
    try:
        return [str(name) for name in group]  # h5py gives bytes if they are no text
    except _BROKEN as error:
        raise DatasetError(
            f"cannot read the names in {where}: {_reason(error)}; {AGAIN}"
        ) from error


def group(file: Any, name: str) -> Any:
    """The HDF5 group of a name; None if it is none, or cannot be read."""
    try:
        found = file[name]
    except _BROKEN:
        return None
    return found if hasattr(found, "keys") else None


def attribute(group: Any, name: str) -> int | None:
    """An attribute of an HDF5 group; None if it is no integer, or cannot be read."""
    try:
        value = np.asarray(group.attrs[name])
    except _BROKEN:
        return None
    return int(value.item()) if value.dtype.kind in "iu" and value.size == 1 else None


def array(group: Any, name: str, where: str) -> np.ndarray:
    """An array of a group or file, read whole.

    Args:
        group: an HDF5 group, or an npz file.
        name: of the array in it.
        where: text before the name in messages.

    Raises:
        DatasetError: there is no such array, or it cannot be read.
    """
    try:
        found = group[name]
        parts = list(map(str, found)) if hasattr(found, "keys") else None
        value = None if parts is not None else np.asarray(found[()])
    except _BROKEN as error:
        reason = _reason(error)
        if "doesn't exist" in reason:
            reason = "it is missing"
        raise DatasetError(
            f"{where}{name} cannot be read: {reason}; {AGAIN}"
        ) from error
    if value is None:
        held = _listed(parts or [])
        raise DatasetError(
            f"{where}{name} must be one array, but is a group that holds {held}: "
            "write its parts as one array of vectors"
        )
    return value


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Context manager: the open HDF5 or npz file."""
    if path.suffix.lower() != NPZ:
        with open_hdf5(path) as file:
            yield file
        return
    # Given a path, numpy leaves a damaged file open.
    with contextlib.ExitStack() as stack:
        try:
            raw = stack.enter_context(path.open("rb"))
            if not zipfile.is_zipfile(raw):
                raise zipfile.BadZipFile("it is not what numpy.savez writes")
            file = stack.enter_context(np.load(raw, allow_pickle=False))
        except _BROKEN as error:
            raise DatasetError(
                f"cannot read {path} as npz: {_reason(error)}; {AGAIN}"
            ) from error
        yield file


def _lacking(path: Path, name: str, held: list[str]) -> str:
    if "episode_0" in held:
        return (
            f"{path} has no {name}: it is the file of a Minari dataset; name the "
            "directory above its data directory"
        )
    if name == "terminals" and "dones" in held:
        return (
            f"{path} has no terminals: name dones terminals if it is 1 only where an "
            "episode terminated, not where it was cut short"
        )
    found = _listed(held)
    return f"{path} has no {name}, which D4RL's layout requires; found {found}"


def _listed(names: list[str]) -> str:
    """The first names, in one line."""
    return " ".join(", ".join(names[:8]).split()) or "nothing"


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
