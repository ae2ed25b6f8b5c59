"""Reads Minari datasets on this machine, by id or by path; nothing is downloaded.

Layout: Minari 0.5, `minari/dataset/_storages/hdf5_storage.py`. Actions are scaled from
the bounds of the dataset's action space to [-1, 1].
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import environments
from agents.parts.contract import Spec
from launch.datasets import column_file, environment_differences, minari_metadata
from launch.datasets.column_file import AGAIN, array
from launch.datasets.columns import SKIP, Actions, numbers
from launch.datasets.dataset import Dataset, Steps, check, left_out, to_dataset
from launch.datasets.minari_metadata import FILE, Metadata
from launch.errors import DatasetError
from launch.experiment import REFUSE_FLAWS, DatasetReading

ROOT = "MINARI_DATASETS_PATH"  # environment variable: where Minari keeps datasets
# Minari admits no namespace of one letter.
_ID = re.compile(r"(?![-_\w]/[^/]*$)(?:[-_\w]+/)*[-_\w]+-v\d+")
_MAIN = "main_data.hdf5"
_EPISODE = re.compile(r"episode_\d+")
# The file's name for each column of an episode.
_KEYS = {
    "observations": "observations",
    "actions": "actions",
    "rewards": "rewards",
    "terminals": "terminations",
    "timeouts": "truncations",
    "next_observations": "observations",
}


def root() -> Path:
    """The directory in which Minari keeps datasets; it need not exist."""
    given = os.environ.get(ROOT)
    return Path(given) if given else Path.home() / ".minari" / "datasets"


def is_dataset(path: Path) -> bool:
    """Whether a directory holds a Minari dataset, whole or not."""
    return _data(path) is not None


def _data(path: Path) -> Path | None:
    """The directory of a dataset's files: its `data` directory, or the path itself."""
    for place in (path / "data", path):
        if any(os.path.isfile(place / name) for name in (FILE, _MAIN)):
            return place
    return None


def locate(dataset_id: str) -> Path:
    """The directory of a dataset.

    Raises:
        DatasetError: this machine has no dataset of that id.
    """
    path = root() / dataset_id
    if not check_id(dataset_id) or not is_dataset(path):
        remedy = "make it with `munchausen collect`"
        if not dataset_id.startswith("munchausen/"):
            remedy += (
                ", or, if it is one of Minari's, get it with `minari download "
                f"{dataset_id}`"
            )
        raise DatasetError(
            f"no dataset {dataset_id}: looked in the working directory {Path.cwd()} "
            f"and in {root()} ({ROOT} sets another place); {remedy}"
        )
    return path


def check_id(dataset_id: str) -> bool:
    """Whether Minari accepts a string as a dataset id."""
    return _ID.fullmatch(dataset_id) is not None


def read(
    path: Path,
    spec: Spec,
    environment: environments.Config | None = None,
    reading: DatasetReading = REFUSE_FLAWS,
) -> Dataset:
    """Reads the dataset in a directory.

    Args:
        path: of the dataset, or its `data` directory.
        spec: of the environment.
        environment: its configuration; None: not compared with the dataset's.
        reading: what to do with flaws.

    Raises:
        DatasetError: the dataset cannot be read, or its columns are not sound.
    """
    source, data = str(path), _data(path)
    if data is None:
        raise DatasetError(f"{path} has no {FILE}: it is no Minari dataset")
    for name in (_MAIN, FILE):
        if not os.path.isfile(data / name):
            raise DatasetError(_without(data, name))
    told = minari_metadata.read(data, spec)
    notes = environment_differences.check(
        source, told.environment, told.settings, told.reference, environment
    )
    actions = Actions(told.bounds, clip=reading.clip_actions)
    parts, skipped = _read_episodes(
        data / _MAIN, source, told, spec, actions, skip=reading.skip_bad_episodes
    )
    steps = Steps(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    everything = np.ones(len(steps.rewards), bool)
    ends = steps.terminals | steps.timeouts
    dataset = to_dataset(source, steps, everything, ends)
    notes = [*notes, *skipped, *actions.notes(source)]
    return dataset._replace(reference=told.reference, notes=tuple(notes))


def _without(data: Path, name: str) -> str:
    """The message about a dataset that lacks one of its two files."""
    if name == FILE:
        with column_file.open_hdf5(data / _MAIN) as file:
            if column_file.attribute(file, "total_steps") is not None:
                return (
                    f"{data} has no {FILE}: it has the older layout of Minari 0.4; "
                    "get the dataset again with `minari download`, or write "
                    "total_episodes, total_steps, observation_space, action_space and "
                    f"env_spec, which are attributes of {_MAIN}, into {FILE}, with "
                    "data_format hdf5"
                )
    return f"{data} has no {name}; {AGAIN}"


def _read_episodes(
    file: Path,
    source: str,
    told: Metadata,
    spec: Spec,
    actions: Actions,
    *,
    skip: bool,
) -> tuple[list[Steps], list[str]]:
    """The checked steps of each episode, and a line about those that are left out.

    Raises:
        DatasetError: an episode is bad, if none may be left out, or all are bad; or
            there are fewer or more episodes or steps than the metadata tell.
    """
    parts, bad, reason = list[Steps](), list[str](), ""
    with column_file.open_hdf5(file) as opened:
        for number, group in enumerate(_groups(opened, file, told.episodes)):
            try:
                parts.append(_episode(source, number, group, spec, actions))
            except DatasetError as error:
                if not skip and SKIP in str(error):
                    raise
                if not skip:
                    raise DatasetError(f"{error}, {SKIP}") from error
                flaw = str(error).removeprefix(f"{source}: ").partition("; ")[0]
                reason = reason or flaw
                bad.append(f"episode_{number}")
    if bad:
        return parts, [left_out(source, bad, told.episodes, reason)]
    steps = sum(len(part.rewards) for part in parts)
    if steps != told.steps:
        raise DatasetError(
            f"{file} holds {steps} steps, but total_steps of {FILE} is {told.steps}; "
            f"{AGAIN}"
        )
    return parts, []


def _groups(file: Any, path: Path, count: int) -> Iterator[Any]:
    """Yields the group of each episode, or None if there is no group of that name.

    Raises:
        DatasetError: there are fewer or more than `count` episodes.
    """
    held = set(filter(_EPISODE.fullmatch, column_file.names(file, path)))
    if len(held) != count:
        raise DatasetError(
            f"{path} holds {len(held)} episodes, but total_episodes of {FILE} is "
            f"{count}; {AGAIN}"
        )
    for number in range(count):
        name = f"episode_{number}"
        yield column_file.group(file, name) if name in held else None


def _episode(
    source: str, number: int, group: Any, spec: Spec, actions: Actions
) -> Steps:
    """Checks one episode and returns its steps; only the last step may end it."""
    name = f"episode_{number}"
    where = f"{source}: {name}/"
    if group is None:
        raise DatasetError(
            f"{source}: {name} is missing or is no group of arrays; {AGAIN}"
        )
    columns = {key: array(group, key, where) for key in dict.fromkeys(_KEYS.values())}
    rewards = columns["rewards"]
    rows = len(rewards) if rewards.ndim else 0
    if not rows:
        raise DatasetError(f"{where}rewards has no rows; {AGAIN}")
    _check_attributes(source, name, group, number, rows)
    observations = _observations(where, columns["observations"], rows, spec)
    steps = check(
        Steps(
            observations[:-1],
            columns["actions"],
            rewards,
            columns["terminations"],
            columns["truncations"],
            observations[1:],
        ),
        spec,
        source=source,
        keys={field: f"{name}/{key}" for field, key in _KEYS.items()},
        actions=actions,
    )
    _check_end(f"{where}truncations", steps, rows)
    return steps


def _check_attributes(
    source: str, name: str, group: Any, number: int, rows: int
) -> None:
    """Compares an episode with its attributes.

    Raises:
        DatasetError: an attribute is missing or wrong, or differs from the episode.
    """
    for key, found in (("id", number), ("total_steps", rows)):
        told = column_file.attribute(group, key)
        if told is None:
            raise DatasetError(
                f"{source}: {name} must have an integer as its attribute {key}; {AGAIN}"
            )
        if told != found:
            raise DatasetError(
                f"{source}: {name} must have {key} {found} for its {rows} rows, but "
                f"the attribute is {told}: episodes overlap; {AGAIN}"
            )


def _observations(where: str, given: np.ndarray, rows: int, spec: Spec) -> np.ndarray:
    """An episode's observations, one more than its rows.

    All are checked together, so that messages name the last one like the others.
    """
    found = len(given) if given.ndim else 0
    if found != rows + 1:
        raise DatasetError(
            f"{where}observations must have one row more than the {rows} of rewards, "
            f"got {found}; {AGAIN}"
        )
    shape = spec.observation.shape
    return numbers(f"{where}observations", given, rows + 1, shape)


def _check_end(name: str, steps: Steps, rows: int) -> None:
    """Raises DatasetError unless an episode ends at its last row and not before."""
    ends = np.flatnonzero(steps.terminals | steps.timeouts)
    if not len(ends):
        raise DatasetError(
            f"{name}, row {rows - 1}: the last row neither terminates nor truncates "
            f"the episode; set the missing flag"
        )
    if ends[0] != rows - 1:
        raise DatasetError(
            f"{name}, row {ends[0]}: the episode ends there, but continues to row "
            f"{rows - 1}: episodes overlap; write them separately"
        )
