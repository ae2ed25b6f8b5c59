"""Reads Minari datasets on this machine, by id or by path; nothing is downloaded.

Actions are scaled from the bounds of the dataset's action space to [-1, 1].
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.parts.contract import Spec, Transition
from environments.action_scaling import Canonical
from launch.datasets.dataset import Dataset, Steps, check, numbers
from launch.errors import DatasetError

if TYPE_CHECKING:
    import gymnasium

ROOT = "MINARI_DATASETS_PATH"  # environment variable: where Minari keeps datasets
# Minari admits no namespace of one letter.
_ID = re.compile(r"(?![-_\w]/[^/]*$)(?:[-_\w]+/)*[-_\w]+-v\d+")
_METADATA = "metadata.json"


def root() -> Path:
    """The directory in which Minari keeps datasets; it need not exist."""
    given = os.environ.get(ROOT)
    return Path(given) if given else Path.home() / ".minari" / "datasets"


def is_dataset(path: Path) -> bool:
    """Whether a directory holds a Minari dataset."""
    return (path / "data" / _METADATA).is_file() or (path / _METADATA).is_file()


def locate(dataset_id: str) -> Path:
    """The directory of a dataset.

    Raises:
        DatasetError: this machine has no dataset of that id.
    """
    path = root() / dataset_id
    if not check_id(dataset_id) or not is_dataset(path):
        raise DatasetError(
            f"no dataset {dataset_id}: looked in {root()} ({ROOT} sets another place); "
            "make one with `munchausen collect`, or get a public one with "
            f"`minari download {dataset_id}`"
        )
    return path


def check_id(dataset_id: str) -> bool:
    """Whether Minari accepts a string as a dataset id."""
    return _ID.fullmatch(dataset_id) is not None


def read(path: Path, spec: Spec, family: str | None = None) -> Dataset:
    """Reads the dataset in a directory.

    Args:
        path: of the dataset, or its `data` directory.
        spec: of the environment.
        family: its gymnasium name without the version; None: not compared.

    Raises:
        DatasetError: the dataset cannot be read, or its columns are not sound.
    """
    storage = _storage(path)
    metadata = storage.metadata
    source = str(path)
    _check_family(source, metadata.get("env_spec"), family)
    _check_space(source, "observation_space", storage.observation_space)
    bounds = _bounds(source, storage.action_space)
    parts = [
        _checked(source, number, episode, told, spec, bounds)
        for number, (episode, told) in enumerate(_episodes(source, storage))
    ]
    if not parts:
        raise DatasetError(f"{source} holds no episode")
    steps = Steps(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    transitions = Transition(
        steps.observations,
        steps.actions,
        steps.rewards,
        1 - steps.terminals.astype(np.float32),
        steps.next_observations,
    )
    low, high = metadata.get("ref_min_score"), metadata.get("ref_max_score")
    reference = None if low is None or high is None else (float(low), float(high))
    return Dataset(source, transitions, steps.terminals | steps.timeouts, reference)


def _storage(path: Path) -> Any:
    import minari
    from minari.dataset.minari_storage import MinariStorage

    del minari  # its package registers the storages
    data = path / "data" if (path / "data" / _METADATA).is_file() else path
    try:
        return MinariStorage.read(data)
    except (AssertionError, ImportError, KeyError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DatasetError(f"cannot read {data} as Minari: {reason}") from error


def _check_family(source: str, env_spec: str | None, family: str | None) -> None:
    """Checks the environment by name: Walker2d and HalfCheetah have equal shapes.

    Raises:
        DatasetError: the dataset is of another environment.
    """
    if env_spec is None or family is None:
        return
    name = json.loads(env_spec)["id"]
    if name.rpartition("/")[2].rpartition("-v")[0] != family:
        raise DatasetError(
            f"{source}: env_spec is {name}, the environment is {family}: choose the "
            "environment that the dataset is from"
        )


def _check_space(source: str, key: str, space: "gymnasium.Space") -> None:
    import gymnasium

    if not isinstance(space, gymnasium.spaces.Box):
        raise DatasetError(
            f"{source}: {key} is a {type(space).__name__}: only plain arrays (Box) can "
            "be learnt from; flatten it, as gymnasium's FlattenObservation does"
        )


def _bounds(source: str, space: "gymnasium.Space") -> Canonical:
    import gymnasium

    _check_space(source, "action_space", space)
    assert isinstance(space, gymnasium.spaces.Box)
    try:
        return Canonical(space.low, space.high)
    except ValueError as error:
        raise DatasetError(f"{source}: action_space: {error}") from error


def _episodes(source: str, storage: Any) -> Iterator[tuple[Mapping, Mapping]]:
    """Yields each stored episode with its metadata.

    Raises:
        DatasetError: an episode cannot be read.
    """
    count = storage.total_episodes
    stored = iter(storage.get_episodes(range(count)))
    told = iter(storage.get_episode_metadata(range(count)))
    for number in range(count):
        try:
            yield next(stored), next(told)
        except (AssertionError, KeyError, OSError, StopIteration) as error:
            reason = " ".join(str(error).split())[:200] or "it is missing"
            raise DatasetError(
                f"{source}: episode_{number} cannot be read: {reason}; it must follow "
                "Minari's layout"
            ) from error


def _checked(
    source: str,
    number: int,
    episode: Mapping[str, Any],
    told: Mapping[str, Any],
    spec: Spec,
    bounds: Canonical,
) -> Steps:
    """Checks one episode and returns its steps; only the last step may end it."""
    group = f"episode_{number}"
    rewards = np.asarray(episode["rewards"])
    rows = len(rewards) if rewards.ndim else 0
    observations = _observations(source, group, episode, rows, spec)
    if told.get("id", number) != number or told.get("total_steps", rows) != rows:
        raise DatasetError(
            f"{source}: {group} is episode {told.get('id')} of "
            f"{told.get('total_steps')} steps by its attributes, but it has {rows} "
            "rows: episodes overlap"
        )
    keys = {
        "observations": f"{group}/observations",
        "actions": f"{group}/actions",
        "rewards": f"{group}/rewards",
        "terminals": f"{group}/terminations",
        "timeouts": f"{group}/truncations",
        "next_observations": f"{group}/observations",
    }
    columns = Steps(
        observations[:-1],
        episode["actions"],
        rewards,
        episode["terminations"],
        episode["truncations"],
        observations[1:],
    )
    steps = check(columns, spec, source=source, keys=keys, actions=bounds)
    _check_end(f"{source}: {keys['timeouts']}", steps, rows)
    return steps


def _observations(
    source: str, group: str, episode: Mapping[str, Any], rows: int, spec: Spec
) -> np.ndarray:
    """An episode's observations, one more than its rows.

    All are checked together, so that messages name the last one like the others.
    """
    name = f"{source}: {group}/observations"
    observations = np.asarray(episode["observations"])
    found = len(observations) if observations.ndim else 0
    if observations.ndim == 0 or found != rows + 1:
        raise DatasetError(
            f"{name} must have one row more than the {rows} of {group}/rewards, got "
            f"{found}"
        )
    return numbers(name, observations, rows + 1, spec.observation.shape)


def _check_end(name: str, steps: Steps, rows: int) -> None:
    """Raises DatasetError unless an episode ends at its last row and not before."""
    ends = np.flatnonzero(steps.terminals | steps.timeouts)
    if not len(ends):
        raise DatasetError(
            f"{name}, row {rows - 1}: the last row neither "
            "terminates nor truncates the episode; set the missing flag"
        )
    if ends[0] != rows - 1:
        raise DatasetError(
            f"{name}, row {ends[0]}: the episode ends there, but "
            f"continues to row {rows - 1}: episodes overlap; write them separately"
        )
