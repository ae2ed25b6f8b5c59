"""Reads files of D4RL's layout: HDF5, one row for each step, episode after episode.

The rules are those of D4RL's `qlearning_dataset` (`d4rl/__init__.py`):

- a row's next observation is the observation of the row after it, unless the file has
  `next_observations`;
- a row at which an episode was cut short is dropped if its next observation is unknown;
- rows at which an episode terminated are kept: their next observation is not
  bootstrapped from, so the observation of the row after it takes its place;
- in files without `timeouts`, such as those of version 0, episodes are cut short at the
  environment's episode length.

Deviations: the last row of a file is kept if its episode terminated, with its own
observation as the next. As in D4RL's own files, the last episode may break off without
a flag; its rows are used up to the last one with a known next observation.
"""

from pathlib import Path
from typing import Any

import numpy as np

from agents.parts.contract import Spec
from launch.datasets.dataset import Dataset, Steps, check, flags, to_dataset
from launch.datasets.source_environment import Native
from launch.errors import DatasetError

SUFFIXES = (".hdf5", ".h5")
_REQUIRED = ("observations", "actions", "rewards", "terminals")
_OPTIONAL = ("timeouts", "next_observations")


def read(path: Path, spec: Spec, native: Native) -> Dataset:
    """Reads the dataset in a file.

    Args:
        path: of the file.
        spec: of the environment.
        native: facts about the environment that the file may lack: the bounds of
            actions that are not in [-1, 1], the length of episodes.

    Raises:
        DatasetError: the file cannot be read, or its columns are not sound.
    """
    columns = _columns(path)
    observations = np.asarray(columns["observations"])
    rows = len(observations) if observations.ndim else 0
    if not rows:
        raise DatasetError(f"{path}: observations has no rows")
    terminals = flags(f"{path}: terminals", columns["terminals"], rows)
    timeouts = _timeouts(path, columns.get("timeouts"), terminals, native)
    known = "next_observations" in columns
    followed = columns["next_observations"] if known else _shifted(observations)
    steps = check(
        Steps(
            observations,
            columns["actions"],
            columns["rewards"],
            terminals,
            timeouts,
            followed,
        ),
        spec,
        source=str(path),
        keys={name: name for name in Steps._fields},
        actions=native.actions,
    )
    ends = terminals | timeouts
    if known:
        ends[-1] = True
        return to_dataset(str(path), steps, np.ones(rows, bool), ends)
    # The last row's next observation is unknown as well.
    cut = timeouts & ~terminals
    cut[-1] = not terminals[-1]
    ends[:-1] |= cut[1:]  # the record then ends a row earlier
    return to_dataset(str(path), steps, ~cut, ends)


def _columns(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file, by name.

    Raises:
        DatasetError: the file cannot be read, or lacks a required array.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            names = list(file)
            missing = [name for name in _REQUIRED if not _is_array(file, name)]
            if missing:
                raise DatasetError(_lacking(path, missing[0], names))
            present = [name for name in _OPTIONAL if _is_array(file, name)]
            return {name: file[name][()] for name in (*_REQUIRED, *present)}
    except OSError as error:
        reason = " ".join(str(error).split())[:200]
        raise DatasetError(f"cannot read {path} as HDF5: {reason}") from error


def _is_array(file: Any, name: str) -> bool:
    import h5py

    return isinstance(file.get(name), h5py.Dataset)


def _lacking(path: Path, name: str, names: list[str]) -> str:
    if "episode_0" in names:
        return (
            f"{path} has no {name}: it is the file of a Minari dataset; name the "
            "directory above its data directory"
        )
    held = ", ".join(names[:8]) or "nothing"
    return f"{path} has no {name}, which D4RL's layout requires; found {held}"


def _shifted(observations: np.ndarray) -> np.ndarray:
    return np.concatenate([observations[1:], observations[-1:]])


def _timeouts(
    path: Path, given: np.ndarray | None, terminals: np.ndarray, native: Native
) -> np.ndarray:
    """Where episodes were cut short, `[M]` bool, from the file or the episode length.

    Raises:
        DatasetError: both are unknown, or an episode is longer than it can be.
    """
    rows, limit = len(terminals), native.episode_steps
    where = f"{path}: timeouts"
    if given is None:
        if limit is None:
            raise DatasetError(
                f"{where} are missing and the environment's episodes have no known "
                "length: add a timeout flag for each row"
            )
        return _at_limit(terminals, limit)
    timeouts = flags(where, given, rows)
    ends = terminals | timeouts
    starts = np.concatenate([[0], np.flatnonzero(ends) + 1])
    lengths = np.diff(np.concatenate([starts, [rows]]))
    if native.exact and limit is not None and lengths.max() > limit:
        row = starts[np.argmax(lengths > limit)] + limit - 1
        raise DatasetError(
            f"{where}, row {row}: step {limit} of an episode, which the environment "
            "cuts short there, has no flag; set it, or remove timeouts from the file"
        )
    if not ends.any():
        raise DatasetError(
            f"{where}, row {rows - 1}: no row is marked as the end of an episode; "
            "set the flag where episodes were cut short"
        )
    return timeouts


def _at_limit(terminals: np.ndarray, limit: int) -> np.ndarray:
    """The last steps of episodes of `limit` steps, terminated or not."""
    starts = np.concatenate([[0], np.flatnonzero(terminals) + 1])
    begun = np.zeros(len(terminals), np.int64)
    begun[starts[starts < len(terminals)]] = starts[starts < len(terminals)]
    position = np.arange(len(terminals)) - np.maximum.accumulate(begun)
    return position % limit == limit - 1
