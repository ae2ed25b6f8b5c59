"""Which runs of a figure are there already, and how each goes on."""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from launch.errors import RunDirectoryError
from launch.experiment import Experiment
from launch.runs import checkpoint, lock, logs, run_directory
from launch.runs.checkpoint import Checkpoint

State = Literal["missing", "cut short", "complete", "held"]


class Entry(NamedTuple):
    """One run of a plan.

    Attributes:
        experiment: what it is.
        directory: of the run, if it was begun.
        state: `held` by a process that runs it now.
    """

    experiment: Experiment
    directory: Path | None = None
    state: State = "missing"


def find(root: str, experiments: Sequence[Experiment]) -> list[Entry]:
    """The run of each experiment, as far as it is there.

    A run is an experiment's if it was configured as it, except that fewer steps will
    do: it is then extended. Of several the complete one counts, else the one that is
    held, else the one that got furthest.

    Args:
        root: of the run directories.
        experiments: each with its seed.
    """
    return [_find(Path(root), experiment) for experiment in experiments]


def begin(root: str, entry: Entry) -> Path:
    """The directory of a run that another process will now run, made if need be.

    Raises:
        RunDirectoryError: it cannot be written, or another process writes it.
    """
    if entry.directory is None:
        return run_directory.create(root, entry.experiment)
    with lock.locked(entry.directory):
        run_directory.record_resume(entry.directory, entry.experiment)
    return entry.directory


@contextlib.contextmanager
def held(
    root: str, entry: Entry, *, local: bool
) -> Iterator[tuple[Path, Checkpoint | None]]:
    """Context with the directory of a run, locked, and where the run goes on.

    Raises:
        RunDirectoryError: it was begun in the other way of running, cannot be written,
            is written by another process, or has no usable checkpoint.
    """
    directory = entry.directory or run_directory.create(root, entry.experiment)
    with lock.locked(directory):
        resume = None
        if entry.directory is not None:
            resume = checkpoint_to_resume(directory, local=local)
            run_directory.record_resume(directory, entry.experiment)
        yield directory, resume


def checkpoint_to_resume(directory: Path, *, local: bool) -> Checkpoint | None:
    """Where a run resumes; None: it has saved nothing and starts again.

    Raises:
        RunDirectoryError: it was begun in the other way of running, or no checkpoint is
            usable.
    """
    if not checkpoint.reached(directory):
        return None
    newest = checkpoint.newest(directory)
    if newest.extra["store"] == "dataset":
        return newest
    if (newest.extra["store"] == "reverb") == local:
        fitting = "--launch processes" if local else "--launch local"
        raise RunDirectoryError(f"{directory} goes on with {fitting}")
    return newest


def is_complete(directory: Path, experiment: Experiment) -> bool:
    """Whether a run has its last evaluation; its last step may be saved before.

    Raises:
        RunDirectoryError: its evaluations cannot be read.
    """
    try:
        rows = logs.read_evaluations(directory)
    except (KeyError, OSError, TypeError, ValueError) as error:
        path = directory / logs.EVALUATIONS
        raise RunDirectoryError(f"cannot read {path}: {error}") from error
    return bool(rows) and rows[-1].grid >= experiment.steps


def _find(root: Path, experiment: Experiment) -> Entry:
    found = list(_candidates(root, experiment))
    for state in ("complete", "held"):
        for entry in found:
            if entry.state == state:
                return entry
    return max(found, key=_reached, default=Entry(experiment))


def _candidates(root: Path, experiment: Experiment) -> Iterator[Entry]:
    """Every run directory of this experiment and seed, oldest first."""
    for path in sorted((root / experiment.name).glob(f"seed{experiment.seed}-*")):
        try:
            configured = run_directory.read_experiment(path)
        except RunDirectoryError:
            continue  # not ours, or of another version: another run
        if _same(configured, experiment):
            yield Entry(experiment, path, _state(path, experiment))


def _same(configured: Experiment, experiment: Experiment) -> bool:
    alike = dataclasses.replace(
        configured, steps=experiment.steps, description=experiment.description
    )
    return alike == experiment and configured.steps <= experiment.steps


def _state(directory: Path, experiment: Experiment) -> State:
    if is_complete(directory, experiment):
        return "complete"
    return "held" if lock.is_held(directory) else "cut short"


def _reached(entry: Entry) -> int:
    return -1 if entry.directory is None else checkpoint.reached(entry.directory)
