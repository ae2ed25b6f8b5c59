"""Writes episodes as a Minari dataset.

Minari stores the actions that the environment receives, so actions are scaled from
[-1, 1] to the environment's own bounds.
"""

import contextlib
import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from environments.action_scaling import Canonical
from launch.datasets.episode import Episode
from launch.datasets.minari_reading import ROOT, check_id, root
from launch.datasets.source_environment import Native
from launch.errors import DatasetError


class Description(NamedTuple):
    """Metadata of a dataset.

    Attributes:
        reference: returns that score 0 and 100, if known.
        algorithm: name of the algorithm whose policy acted.
        code: commit of the code that acted, if known.
        text: other information, such as the command.
    """

    reference: tuple[float, float] | None
    algorithm: str
    code: str | None
    text: str


def check_free(dataset_id: str, overwrite: bool) -> None:
    """Checks a dataset's id before any work is done.

    Raises:
        DatasetError: the id is not valid, or another dataset has it.
    """
    if not check_id(dataset_id):
        raise DatasetError(
            "a dataset id must be of the form munchausen/hopper/medium-v0, got "
            f"{dataset_id!r}"
        )
    path = root() / dataset_id
    if path.exists() and not overwrite:
        raise DatasetError(
            f"dataset {dataset_id} already exists in {root()}: choose another id with "
            "--dataset, or --overwrite true"
        )


def write(
    dataset_id: str,
    episodes: Sequence[Episode],
    native: Native,
    description: Description,
    *,
    overwrite: bool = False,
) -> Path:
    """Writes a dataset, whole or not at all; returns its directory.

    Args:
        dataset_id: such as `munchausen/hopper/medium-v0`.
        episodes: at least one.
        native: of the environment.
        description: the dataset's metadata.
        overwrite: whether to replace an existing dataset of that id.

    Raises:
        DatasetError: the dataset cannot be written, or its id is taken.
    """
    final = root() / dataset_id
    check_free(dataset_id, overwrite)
    try:
        root().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".munchausen-", dir=root()) as draft:
            with _rooted(draft):
                _create(dataset_id, episodes, native, description)
            final.parent.mkdir(parents=True, exist_ok=True)
            if final.exists():
                final.rename(Path(draft) / "replaced")
            (Path(draft) / dataset_id).rename(final)
        _add_namespace(dataset_id)
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())[:200]
        raise DatasetError(f"cannot write dataset {final}: {reason}") from error
    return final


def _create(
    dataset_id: str,
    episodes: Sequence[Episode],
    native: Native,
    description: Description,
) -> None:
    import gymnasium
    import minari
    from minari.data_collector import EpisodeBuffer

    size = episodes[0].actions.shape[1:]
    low = np.full(size, -1.0) if native.low is None else native.low
    high = np.full(size, 1.0) if native.high is None else native.high
    bounds = Canonical(low, high)
    episodes = [each._replace(observations=_numbers(each)) for each in episodes]
    buffers = [_buffer(EpisodeBuffer, *pair, bounds) for pair in enumerate(episodes)]
    with warnings.catch_warnings():
        # Minari warns of every missing field, such as an author's address.
        warnings.simplefilter("ignore")
        dataset = minari.create_dataset_from_buffers(
            dataset_id,
            buffers,
            env=native.name,
            eval_env=native.name,
            observation_space=_space(episodes[0].observations),
            action_space=gymnasium.spaces.Box(
                np.asarray(low, np.float32), np.asarray(high, np.float32)
            ),
            algorithm_name=description.algorithm,
            code_permalink=description.code,
            description=description.text,
        )
    if description.reference is not None:
        # As arguments above, they would be dropped if there is no gymnasium name.
        low_score, high_score = description.reference
        dataset.storage.update_metadata(
            {"ref_min_score": low_score, "ref_max_score": high_score}
        )


def _space(observations: np.ndarray) -> Any:
    """Minari's space of an observation."""
    import gymnasium

    kind = observations.dtype
    least, most = (0, 255) if kind == np.uint8 else (-np.inf, np.inf)
    return gymnasium.spaces.Box(least, most, observations.shape[1:], kind.type)


def _numbers(episode: Episode) -> np.ndarray:
    """Observations of a type that Minari stores as it is.

    It compresses uint8 that may be one picture a step, with loss, and has no space for
    bool and other unsigned integers. A reader gives observations the type of the
    environment's.
    """
    found = episode.observations
    stack = found.ndim > 3 and found.shape[-1] not in (1, 3)
    if found.dtype.kind not in "ub" or (found.dtype == np.uint8 and stack):
        return found
    return found.astype(np.float32)


def _buffer(kind: Any, number: int, episode: Episode, bounds: Canonical) -> Any:
    """Converts an episode to Minari's buffer."""
    last = np.arange(episode.length) == episode.length - 1
    return kind(
        id=number,
        observations=episode.observations,
        actions=bounds.native(episode.actions),
        rewards=episode.rewards,
        terminations=last & episode.terminated,
        truncations=last & (not episode.terminated),
        infos={},  # None could not be shown
    )


@contextlib.contextmanager
def _rooted(path: str) -> Iterator[None]:
    """Context manager: Minari keeps its datasets in `path` meanwhile."""
    before = os.environ.get(ROOT)
    os.environ[ROOT] = path
    try:
        yield
    finally:
        if before is None:
            del os.environ[ROOT]
        else:
            os.environ[ROOT] = before


def _add_namespace(dataset_id: str) -> None:
    """Creates the namespace in a dataset's id, so that Minari lists the dataset."""
    from minari import namespace

    above = dataset_id.rpartition("/")[0]
    if above and above not in namespace.list_local_namespaces():
        namespace.create_namespace(above)
