"""Reads one run directory."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from experiments import flags
from experiments.catalogue import computation
from experiments.reporting import plain_text, read_logs
from launch.errors import RunDirectoryError
from launch.runs import events, lock, roles, run_directory
from launch.runs.logs import EvaluationRow, Sample
from launch.runs.roles import Row

_NEEDED: dict[str, type] = {
    "name": str,
    "agent_name": str,
    "seed": int,
    "steps": int,
    "environment": dict,
}
# A longer run has its own rows, and a dataset that moved has the same rows.
_UNTOLD = ("steps", "dataset", "description", *run_directory.BOOKKEEPING)
_OF_A_DEATH: dict[str, type] = {
    "role": str,
    "host": str,
    "how": str,
    "line": str,
    "steps": int,
}


class Run(NamedTuple):
    """A run directory, read once.

    Attributes:
        directory: path as given by the caller.
        config: content of `config.yaml`.
        evaluations: evaluations in which an episode ended, oldest first.
        metrics: rows of `metrics.jsonl`, oldest first.
        evaluated: last point of the evaluation grid that was reached.
        end: last point of which the evaluation can be used, even if no episode ended
            there.
        running: whether a process writes to it now.
        events: what happened to its roles, oldest first; see `launch.runs.events`.
        roles: where they ran in the end; see `launch.runs.roles`.
        samples: completions of the last evaluation, if it is a language task.
    """

    directory: Path
    config: dict[str, Any]
    evaluations: list[EvaluationRow]
    metrics: list[dict[str, Any]]
    evaluated: int
    end: int
    running: bool
    events: Sequence[dict[str, Any]] = ()
    roles: Sequence[Row] = ()
    samples: Sequence[Sample] = ()

    @property
    def deaths(self) -> list[dict[str, Any]]:
        """The events of roles that died."""
        return [event for event in self.events if event.get("event") in events.DEATHS]

    @property
    def experiment(self) -> dict[str, Any]:
        """The experiment as plain data."""
        return self.config["experiment"]

    @property
    def starts(self) -> list[dict[str, Any]]:
        """Command, code and versions of its start, then of each resumption."""
        return [self.config, *self.config.get("resumed", [])]

    @property
    def changes(self) -> list[str]:
        """A sentence for each resumption with other settings than before."""
        return [
            f"{plain_text.one_line(self.directory)}: from step {_shown(step)} on with "
            + ", ".join(told)
            for step, changes in run_directory.changes(self.config)
            if (told := _told(changes))
        ]

    @property
    def actor_steps(self) -> int:
        """Actor steps so far: the largest count in the last rows."""
        return int(self._last("actor_steps"))

    @property
    def clock(self) -> int:
        """Progress so far: actor steps, or learner steps if it has no actor steps."""
        return self.actor_steps or int(self._last("learner_steps"))

    @property
    def counted(self) -> Literal["actor", "learner"]:
        """Which steps measure its progress: `learner` if it learns from a dataset."""
        return "learner" if self.experiment.get("dataset") else "actor"

    @property
    def frames(self) -> int:
        """Frames so far: the largest count in the last rows."""
        return int(self._last("frames"))

    @property
    def wall_time(self) -> float:
        """Seconds that the run has taken so far."""
        return self._last("wall_time")

    def _last(self, name: str) -> float:
        rows = [row._asdict() | row.counts._asdict() for row in self.evaluations[-1:]]
        return max(row[name] for row in [*rows, *self.metrics[-1:]])

    @property
    def complete(self) -> bool:
        """Whether the evaluation at the last step has been logged."""
        return self.evaluated >= self.experiment["steps"]

    @property
    def progress(self) -> str:
        """A sentence about how far a run that is not complete has come."""
        state = "is still running" if self.running else "ended early"
        steps = self.experiment["steps"]
        return (
            f"{plain_text.one_line(self.directory)} {state}: evaluated to "
            f"{self.evaluated:,} of {steps:,} steps"
        )


def read(directory: Path, points: list[str]) -> Run:
    """Reads a run; adds a sentence about points that were left out.

    Raises:
        RunDirectoryError: the page could not show the run; the message says why.
    """
    if computation.is_computed(directory):
        raise RunDirectoryError(
            f"{directory} is a computed figure, which a report cannot show; see "
            f"{computation.PICTURE} and {computation.ROWS} there"
        )
    config = run_directory.read_config(directory)
    _check_config(directory / run_directory.CONFIG, config)
    evaluations, evaluated = read_logs.read_evaluations(directory)
    metrics = read_logs.read_metrics(directory)
    samples = read_logs.read_samples(directory)
    notes = [log.note for log in (evaluations, metrics, samples) if log.note]
    if not any(row.returns for row in evaluations.rows):
        if evaluations.lost:
            raise RunDirectoryError(
                f"{directory} has no evaluation that can be used: {evaluations.note}"
            )
        raise RunDirectoryError(f"{directory} has no evaluation yet")
    points += [f"{plain_text.one_line(directory)}: {note}" for note in notes]
    complete = evaluated >= config["experiment"]["steps"]
    return Run(
        directory,
        config,
        [row for row in evaluations.rows if row.returns],
        metrics.rows,
        evaluated,
        end=evaluations.rows[-1].grid,
        running=not complete and lock.is_held(directory),
        events=_read_events(directory, points),
        roles=_read_roles(directory, points),
        samples=samples.rows,
    )


def _read_events(directory: Path, points: list[str]) -> list[dict[str, Any]]:
    """Reads the run's events; adds a sentence if they cannot be read."""
    try:
        rows = events.read(directory)
        for row in rows:
            if row.get("event") in events.DEATHS:
                for name, kind in _OF_A_DEATH.items():
                    if not isinstance(row.get(name), kind):
                        raise ValueError(f"a row of {events.FILE} has no {name}")
    except (OSError, ValueError) as error:
        points.append(f"{plain_text.one_line(directory)}: no events, since {error}")
        return []
    return rows


def _read_roles(directory: Path, points: list[str]) -> list[Row]:
    """Reads where the roles ran; adds a sentence if it cannot be read."""
    try:
        return roles.read(directory)
    except (OSError, ValueError) as error:
        points.append(f"{plain_text.one_line(directory)}: no roles, since {error}")
        return []


def _check_config(path: Path, config: dict[str, Any]) -> None:
    """Raises RunDirectoryError if the page could not show the run."""
    experiment = config["experiment"]
    if not isinstance(experiment, dict):
        raise RunDirectoryError(f"{path} describes no experiment")
    for name, kind in _NEEDED.items():
        if not isinstance(experiment.get(name), kind):
            raise RunDirectoryError(f"{path}: the experiment has no {name}")
    if experiment["steps"] < 1:
        raise RunDirectoryError(
            f"{path}: steps must be at least 1, got {experiment['steps']}"
        )
    if not isinstance(experiment.get("dataset") or "", str):
        raise RunDirectoryError(
            f"{path}: `dataset` must be a text, got {experiment['dataset']!r}"
        )
    _check_starts(path, config)


def _shown(step: Any) -> str:
    return f"{step:,}" if isinstance(step, int) else str(step)


def _told(changes: dict[str, tuple[Any, Any]]) -> list[str]:
    """A text for each setting that changed.

    Changes of bookkeeping, of the length and of the dataset's place are left out.
    """
    return [
        plain_text.one_line(
            f"{path} {flags.show(_hashable(new))} (before: "
            f"{flags.show(_hashable(old))})"
        )
        for path, (old, new) in changes.items()
        if path not in _UNTOLD
    ]


def _hashable(value: Any) -> Any:
    """A value as it was before it was written: tuples become lists there."""
    return tuple(map(_hashable, value)) if isinstance(value, list) else value


def _check_starts(path: Path, config: dict[str, Any]) -> None:
    resumed = config.get("resumed", [])
    if not isinstance(resumed, list) or not all(isinstance(r, dict) for r in resumed):
        raise RunDirectoryError(f"{path}: `resumed` must be a list of mappings")
    for start in (config, *resumed):
        if not isinstance(start.get("versions", {}), dict):
            raise RunDirectoryError(f"{path}: `versions` must be a mapping")
