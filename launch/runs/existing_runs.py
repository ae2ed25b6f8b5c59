"""Finds which runs of a figure or sweep exist already, and where each resumes.

The same command may run several times at once, on one machine or on several that share
the folder of runs. So each run is sought again when its turn comes, see `taken`.
"""

import contextlib
import dataclasses
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Literal, NamedTuple

from launch.errors import RunDirectoryError
from launch.experiment import Checkpointing, Experiment
from launch.runs import checkpoint, lock, logs, run_directory
from launch.runs.checkpoint import Checkpoint

State = Literal["new", "missing", "cut short", "complete", "held"]


class Entry(NamedTuple):
    """One run of a plan.

    Attributes:
        experiment: the run's experiment.
        directory: the run directory, if the run was begun.
        state: `new` if it begins whatever runs exist; `held` if a process runs it now.
        label: what tells the run from others of its experiment and seed, such as
            `temperature 0.03`; empty if nothing has to.
    """

    experiment: Experiment
    directory: Path | None = None
    state: State = "new"
    label: str = ""

    @property
    def is_left(self) -> bool:
        """Whether the run has to be begun or resumed."""
        return self.state not in ("complete", "held")

    @property
    def title(self) -> str:
        """Experiment, seed and label, as messages name the run."""
        title = f"{self.experiment.name} seed {self.experiment.seed}"
        return f"{title} ({self.label})" if self.label else title


class Finder:
    """Finds existing runs; reads the configuration of each only once.

    Attributes:
        root: the directory of all runs.
    """

    def __init__(self, root: str):
        """Reads nothing yet.

        Args:
            root: the directory of all runs.
        """
        self.root = root
        self._seen: set[Path] = set()
        self._told: set[Path] = set()
        # Runs by their settings, oldest first.
        self._begun: dict[Experiment, list[tuple[Path, Experiment]]] = {}

    def find(self, experiment: Experiment) -> Entry:
        """Finds the existing run of an experiment, if there is one.

        A run matches an experiment if both have the same configuration; a run with
        fewer steps matches, too, and is extended. A run whose agent had other settings
        before it resumed matches nothing. Of several matches the complete one
        is taken, else the held one, else the one that got furthest. A run that has
        saved something keeps its origins.

        Raises:
            RunDirectoryError: a matching run's evaluations cannot be read, or the run
                cannot be extended, see `refuse_without_checkpoint`.
        """
        found = dict[Path, Entry]()
        begun = dict(self._matching(experiment))
        for path, each in begun.items():
            origins = each.origins if checkpoint.reached(path) else ()
            kept = dataclasses.replace(
                experiment, origins=origins or experiment.origins
            )
            found[path] = Entry(kept, path, _state(path, experiment))
        for state in ("complete", "held"):
            for entry in found.values():
                if entry.state == state:
                    return entry
        if not found:
            return Entry(experiment, state="missing")
        furthest = max(found, key=checkpoint.reached)
        refuse_without_checkpoint(furthest, begun[furthest])
        return found[furthest]

    def _matching(self, experiment: Experiment) -> list[tuple[Path, Experiment]]:
        """The runs with an experiment's settings and no more steps, oldest first."""
        folder = Path(self.root) / experiment.name
        for path in sorted(folder.glob(f"seed{experiment.seed}-*")):
            if path in self._seen:
                continue
            try:
                begun = run_directory.read_experiment(path)
            except RunDirectoryError as error:
                # No run, a run of another version, one edited by hand, or being made.
                if (path / run_directory.CONFIG).exists() and path not in self._told:
                    self._told.add(path)
                    print(f"munchausen: passed over: {error}", file=sys.stderr)
                continue
            self._seen.add(path)
            self._begun.setdefault(_identity(begun), []).append((path, begun))
        same = self._begun.get(_identity(experiment), [])
        return [
            (path, each)
            for path, each in same
            if each.steps <= experiment.steps and not self._is_mixed(path)
        ]

    def _is_mixed(self, path: Path) -> bool:
        """Whether the agent's settings changed while a run learned; says so once."""
        for step, changes in run_directory.changes(run_directory.read_config(path)):
            changed = [name for name in changes if name.startswith("agent.")]
            if not changed or not isinstance(step, int) or step == 0:
                continue
            if path not in self._told:
                self._told.add(path)
                print(
                    f"munchausen: passed over: {path} changed "
                    f"{', '.join(changed)} when it resumed at step {step:,}, so it is "
                    "no run of one setting",
                    file=sys.stderr,
                )
            return True
        return False


def find(root: str, experiments: Sequence[Experiment]) -> list[Entry]:
    """Finds the existing run of each experiment, if there is one; see `Finder.find`.

    Args:
        root: the directory of all runs.
        experiments: each with its seed.
    """
    finder = Finder(root)
    return [finder.find(experiment) for experiment in experiments]


class Taken(NamedTuple):
    """A run whose turn has come.

    Attributes:
        entry: the run as it is now.
        directory: its directory.
        lock: the run's lock, for the process that runs it; None: nothing is left to
            do, since the run is complete or held.
    """

    entry: Entry
    directory: Path
    lock: IO[str] | None

    def __str__(self) -> str:
        """The line that a launcher prints: directory, label, and who runs it if not it.

        A run that is complete or held by another process says so.
        """
        others = {"complete": "complete", "held": "held by another process"}
        parts = [str(self.directory), self.entry.label]
        return "  ".join(filter(None, [*parts, others.get(self.entry.state, "")]))


@contextlib.contextmanager
def taken(finder: Finder, entry: Entry) -> Iterator[Taken]:
    """Context manager: takes a run whose turn has come, and makes its directory.

    Unless it is `new`, the run is sought again: since the plan was made, another
    command may have begun or completed it.

    Args:
        finder: of the runs of this command.
        entry: the run, as it was planned.

    Raises:
        RunDirectoryError: the directory cannot be written to, or another process took
            the run at this moment.
    """
    with contextlib.ExitStack() as turn:
        if entry.state != "new":
            turn.enter_context(lock.turn(Path(finder.root) / entry.experiment.name))
            found = finder.find(entry.experiment)
            entry = found._replace(label=entry.label)
        directory = entry.directory
        if directory is None:
            directory = run_directory.create(finder.root, entry.experiment)
        file = lock.take(directory) if entry.is_left else None
    with file or contextlib.nullcontext():
        yield Taken(entry, directory, file)


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


def refuse_without_checkpoint(directory: Path, begun: Experiment) -> None:
    """Refuses to extend a complete run that has no checkpoint to continue from.

    It would begin again, and its evaluations would be lost.

    Args:
        directory: of the run.
        begun: its experiment, as `config.yaml` has it.

    Raises:
        RunDirectoryError: the run is complete and has no checkpoint.
    """
    if not checkpoint.kept(directory) and is_complete(directory, begun):
        raise RunDirectoryError(
            f"{directory} is complete after {begun.steps:,} steps, and has no "
            "checkpoint from which more could follow: restore its directory "
            f"{checkpoint.DIRECTORY}, move the run away to begin a new one, or choose "
            "another place with --runs"
        )


def is_complete(directory: Path, experiment: Experiment) -> bool:
    """Whether a run has its last evaluation; its last step may be saved earlier.

    A run that resumes from a checkpoint drops lines that are not evaluations. Without
    a checkpoint such a line is an error: the run would begin again and lose the others.

    Raises:
        RunDirectoryError: the run's evaluations cannot be read.
    """
    if not checkpoint.kept(directory):
        logs.read_evaluations(directory)
    return logs.evaluated(directory) >= experiment.steps


def _identity(experiment: Experiment) -> Experiment:
    """What matching runs have in common: settings other than length and bookkeeping."""
    usual = Checkpointing()
    return dataclasses.replace(
        experiment,
        steps=1,
        description="",
        log_period=1,
        stall_seconds=1.0,
        checkpoint=dataclasses.replace(
            experiment.checkpoint, keep=usual.keep, minutes=usual.minutes
        ),
    )


def _state(directory: Path, experiment: Experiment) -> State:
    if is_complete(directory, experiment):
        return "complete"
    return "held" if lock.is_held(directory) else "cut short"
