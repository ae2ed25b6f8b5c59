"""Finds which runs of a figure or sweep exist already, and where each resumes."""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from launch.errors import RunDirectoryError
from launch.experiment import Experiment, Origin
from launch.runs import checkpoint, lock, logs, run_directory
from launch.runs.checkpoint import Checkpoint

State = Literal["missing", "cut short", "complete", "held"]


class Entry(NamedTuple):
    """One run of a plan.

    Attributes:
        experiment: the run's experiment.
        directory: the run directory, if the run was begun.
        state: `held` if a process runs it now.
        label: what tells the run from others of its experiment and seed, such as
            `temperature 0.03`; empty if nothing has to.
    """

    experiment: Experiment
    directory: Path | None = None
    state: State = "missing"
    label: str = ""

    @property
    def title(self) -> str:
        """Experiment, seed and label, as messages name the run."""
        title = f"{self.experiment.name} seed {self.experiment.seed}"
        return f"{title} ({self.label})" if self.label else title


class Finder:
    """Finds existing runs; reads the configuration of each only once."""

    def __init__(self, root: str):
        """Reads nothing yet.

        Args:
            root: the directory of all runs.
        """
        self._root = Path(root)
        self._known: dict[tuple[str, int], dict[Experiment, list[_Begun]]] = {}

    def find(self, experiment: Experiment) -> Entry:
        """Finds the existing run of an experiment, if there is one.

        A run matches an experiment if both have the same configuration; a run with
        fewer steps matches, too, and is extended. Of several matches the complete one
        is taken, else the held one, else the one that got furthest. A run that has
        saved something keeps its origins. Runs that began after the first search for
        their name and seed are not found.

        Raises:
            RunDirectoryError: a matching run's evaluations cannot be read.
        """
        place = (experiment.name, experiment.seed)
        if place not in self._known:
            self._known[place] = _begun(self._root, experiment)
        matching = self._known[place].get(_identity(experiment), [])
        found = [
            Entry(
                dataclasses.replace(
                    experiment, origins=each.origins or experiment.origins
                ),
                each.path,
                _state(each.path, experiment),
            )
            for each in matching
            if each.steps <= experiment.steps
        ]
        for state in ("complete", "held"):
            for entry in found:
                if entry.state == state:
                    return entry
        return max(found, key=_reached, default=Entry(experiment))


def find(root: str, experiments: Sequence[Experiment]) -> list[Entry]:
    """Finds the existing run of each experiment, if there is one; see `Finder.find`.

    Args:
        root: the directory of all runs.
        experiments: each with its seed.
    """
    finder = Finder(root)
    return [finder.find(experiment) for experiment in experiments]


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


class _Begun(NamedTuple):
    """A run directory; the steps of its configuration; origins, if it has learned."""

    path: Path
    steps: int
    origins: tuple[Origin, ...]


def _begun(root: Path, experiment: Experiment) -> dict[Experiment, list[_Begun]]:
    """The runs of this name and seed by their identity, oldest first."""
    found: dict[Experiment, list[_Begun]] = {}
    for path in sorted((root / experiment.name).glob(f"seed{experiment.seed}-*")):
        try:
            configured = run_directory.read_experiment(path)
        except RunDirectoryError:
            continue  # not a run, or a run of another version
        origins = configured.origins if checkpoint.reached(path) else ()
        begun = _Begun(path, configured.steps, origins)
        found.setdefault(_identity(configured), []).append(begun)
    return found


def _identity(experiment: Experiment) -> Experiment:
    """What matching runs have in common: their settings, but not their length."""
    return dataclasses.replace(
        experiment,
        steps=1,
        description="",
        # When a run is saved by wall time makes no difference to it.
        checkpoint=dataclasses.replace(experiment.checkpoint, minutes=0.0),
    )


def _state(directory: Path, experiment: Experiment) -> State:
    if is_complete(directory, experiment):
        return "complete"
    return "held" if lock.is_held(directory) else "cut short"


def _reached(entry: Entry) -> int:
    return -1 if entry.directory is None else checkpoint.reached(entry.directory)
