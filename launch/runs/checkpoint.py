"""Checkpoints of a run: written whole or not at all, and checked before they are used.

`<run>/checkpoints/<steps>/` holds `state/` (the TrainingState, through orbax),
`replay/` (the store's own snapshot) and `manifest.json`: counters, other data that a
resumed run needs, and size and checksum of every file. If there was no time to save the
replay, the manifest names the earlier checkpoint whose replay a resumed run uses.
`launch.runs.checkpoint_saving` writes checkpoints.
"""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax

from agents.parts.contract import Agent, TrainingState
from launch.errors import Damaged, RunDirectoryError
from launch.runs import checkpoint_files
from launch.runs.checkpoint_files import REPLAY, STATE
from launch.runs.logs import Counts

DIRECTORY = "checkpoints"
# The entry of `extra` that notes whether a run resumed from the checkpoint equals one
# that was not interrupted.
EXACT = "exact"
# The entry that notes with how many threads XLA computed, which rounds sums otherwise.
THREADS = "threads"


class Checkpoint(NamedTuple):
    """An intact checkpoint: its files are as they were written, see `read`.

    Attributes:
        path: its directory.
        counts: how far the run was.
        extra: other plain data that the run saved.
        replay_of: steps of the earlier checkpoint whose replay this one uses; None: it
            uses the one that was saved with it, if there is one.
    """

    path: Path
    counts: Counts
    extra: dict[str, Any]
    replay_of: int | None = None

    @property
    def replay(self) -> Path | None:
        """The store's snapshot, if the run saved one."""
        owner = self.path
        if self.replay_of is not None:
            owner = self.path.parent / str(self.replay_of)
        path = owner / REPLAY
        return path if path.is_dir() else None


def reached(directory: Path) -> int:
    """Steps at a run's newest checkpoint, intact or not; 0 if the run has none."""
    return max(kept(directory), default=0)


def kept(directory: Path) -> list[int]:
    """Steps of a run's checkpoints, intact or not, the oldest first."""
    return checkpoint_files.steps(directory / DIRECTORY)


def at(directory: Path, steps: int, *, replay: bool = True) -> Checkpoint:
    """Reads the checkpoint of a run after `steps`, one of `kept`.

    Args:
        directory: a run directory.
        steps: of the checkpoint.
        replay: see `read`.

    Raises:
        RunDirectoryError: the checkpoint is damaged.
    """
    try:
        return read(directory / DIRECTORY / str(steps), replay=replay)
    except Damaged as error:
        raise RunDirectoryError(str(error)) from error


def extras(directory: Path) -> Iterator[dict[str, Any]]:
    """Yields `extra` of each checkpoint with a readable manifest, intact or not."""
    for step in kept(directory):
        with contextlib.suppress(Damaged):
            path = directory / DIRECTORY / str(step)
            yield checkpoint_files.read_manifest(path).extra


def newest(directory: Path, *, replay: bool = True) -> Checkpoint:
    """The newest intact checkpoint; damaged ones are reported on standard error.

    Args:
        directory: a run directory.
        replay: see `read`.

    Raises:
        RunDirectoryError: no checkpoint is intact.
    """
    root, found = directory / DIRECTORY, kept(directory)
    for step in reversed(found):
        try:
            return read(root / str(step), replay=replay)
        except Damaged as error:
            print(f"munchausen: {error}; trying the previous one", file=sys.stderr)
    if found:
        raise RunDirectoryError(f"all checkpoints of {directory} are damaged")
    raise RunDirectoryError(
        f"{directory} holds no checkpoint: a run saves one every checkpoint.period "
        "steps or checkpoint.minutes, at its end, and when Ctrl+C ends it"
    )


def load_state(checkpoint: Checkpoint, agent: Agent) -> TrainingState:
    """Loads the training state of a checkpoint.

    Args:
        checkpoint: an intact checkpoint.
        agent: of the run's experiment; gives the structure to expect.

    Raises:
        RunDirectoryError: the state does not fit the agent.
    """
    try:
        expected = jax.eval_shape(agent.init, jax.random.key(0))
        state = checkpoint_files.restore_state(checkpoint.path, expected)
        _check_shapes(expected, state)
        return state
    except (ValueError, KeyError, TypeError, FileNotFoundError) as error:
        path, reason = checkpoint.path / STATE, " ".join(str(error).split())[:300]
        raise RunDirectoryError(f"{path} does not fit the agent: {reason}") from error


def _check_shapes(expected: TrainingState, state: TrainingState) -> None:
    """Raises ValueError if an array has another shape: Orbax does not look at it."""
    leaves = jax.tree_util.tree_leaves_with_path(expected.params)
    for (path, wanted), found in zip(
        leaves, jax.tree.leaves(state.params), strict=True
    ):
        if wanted.shape != found.shape:
            name = jax.tree_util.keystr(path, simple=True, separator="/")
            raise ValueError(
                f"{name} must be {[*wanted.shape]}, but the checkpoint has "
                f"{[*found.shape]}; restore the network's settings in config.yaml"
            )


def read(path: Path, *, replay: bool = True) -> Checkpoint:
    """Reads a checkpoint by its directory.

    Args:
        path: of the checkpoint.
        replay: whether its replay must be intact, too. A run that resumes needs it, a
            policy does not, and it may be large or deleted to save space.

    Raises:
        Damaged: a file is missing or was altered.
    """
    manifest = checkpoint_files.read_manifest(path)
    written = manifest.files if replay else manifest.without_replay()
    found = checkpoint_files.measure(path, replay=replay)
    checkpoint_files.check(path, written, found)
    if replay and manifest.replay_of is not None:
        owner = path.parent / str(manifest.replay_of) / REPLAY
        found = checkpoint_files.measure(owner)
        checkpoint_files.check(owner, manifest.replay_files, found)
    return Checkpoint(path, manifest.counts, manifest.extra, manifest.replay_of)
