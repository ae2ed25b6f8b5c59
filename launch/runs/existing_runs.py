"""Finds which runs of a figure exist already, and where each resumes."""

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
        experiment: the run's experiment.
        directory: the run directory, if the run was begun.
        state: `held` if a process runs it now.
    """

    experiment: Experiment
    directory: Path | None = None
    state: State = "missing"


def find(root: str, experiments: Sequence[Experiment]) -> list[Entry]:
    """Finds the existing run of each experiment, if there is one.

    A run matches an experiment if both have the same configuration; a run with fewer
    steps matches, too, and is extended. Of several matches the complete one is taken,
    else the held one, else the one that got furthest.

    Args:
        root: the directory of all runs.
        experiments: each with its seed.
    """
    return [_find(Path(root), experiment) for experiment in experiments]


def begin(root: str, entry: Entry) -> Path:
    """Makes or updates the directory of a run that another process is to run.

    Raises:
        RunDirectoryError: it cannot be written, or another process writes to it.
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
    """Context manager: locks a run; gives its directory and the checkpoint to resume.

    Raises:
        RunDirectoryError: the run was begun with another --launch, cannot be written,
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
    """The checkpoint at which a run resumes; None: it saved none and starts again.

    Raises:
        RunDirectoryError: the run was begun with another --launch, or no checkpoint is
            usable.
    """
    if not checkpoint.reached(directory):
        return None
    newest = checkpoint.newest(directory)
    if newest.extra["store"] == "dataset":
        return newest
    if (newest.extra["store"] == "reverb") == local:
        fitting = "--launch processes" if local else "--launch local"
        raise RunDirectoryError(f"{directory} can only be resumed with {fitting}")
    return newest


def is_complete(directory: Path, experiment: Experiment) -> bool:
    """Whether a run has its last evaluation; its last step may be saved earlier.

    Raises:
        RunDirectoryError: the run's evaluations cannot be read.
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
            continue  # not a run, or a run of another version
        if _same(configured, experiment):
            yield Entry(experiment, path, _state(path, experiment))


def _same(configured: Experiment, experiment: Experiment) -> bool:
    alike = dataclasses.replace(
        configured,
        steps=experiment.steps,
        description=experiment.description,
        # When a run is saved by wall time makes no difference to it.
        checkpoint=dataclasses.replace(
            configured.checkpoint, minutes=experiment.checkpoint.minutes
        ),
    )
    return alike == experiment and configured.steps <= experiment.steps


def _state(directory: Path, experiment: Experiment) -> State:
    if is_complete(directory, experiment):
        return "complete"
    return "held" if lock.is_held(directory) else "cut short"


def _reached(entry: Entry) -> int:
    return -1 if entry.directory is None else checkpoint.reached(entry.directory)
