"""Reads run directories, and groups the runs that differ only in their seed."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from experiments.catalogue import computation
from experiments.reporting import find_runs, plain_text, read_logs, setting_differences
from launch.errors import RunDirectoryError
from launch.runs import lock, run_directory
from launch.runs.logs import EvaluationRow

_NEEDED: dict[str, type] = {
    "name": str,
    "agent_name": str,
    "seed": int,
    "steps": int,
    "environment": dict,
}
_SHOWN = 4  # fields in a label


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
    """

    directory: Path
    config: dict[str, Any]
    evaluations: list[EvaluationRow]
    metrics: list[dict[str, Any]]
    evaluated: int
    end: int
    running: bool

    @property
    def experiment(self) -> dict[str, Any]:
        """The experiment as plain data."""
        return self.config["experiment"]

    @property
    def starts(self) -> list[dict[str, Any]]:
        """Command, code and versions of its start, then of each resumption."""
        return [self.config, *self.config.get("resumed", [])]

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


class Group(NamedTuple):
    """The seeds of one agent.

    Attributes:
        label: distinguishes the group from the others on the same environment.
        runs: at least one, by seed.
    """

    label: str
    runs: list[Run]

    @property
    def settings(self) -> dict[str, str]:
        """The experiment's fields by dotted path, without seed and similar fields."""
        return setting_differences.flat(self.runs[0].experiment)


class Reading(NamedTuple):
    """The runs found at some paths.

    Attributes:
        groups: groups with evaluations, by environment in the order of the paths.
        left_out: one sentence for each run or folder that was left out.
        incomplete: one sentence for each run that is shown but not complete.
        points: one sentence for each run of which points were left out.
    """

    groups: dict[str, list[Group]]
    left_out: list[str]
    incomplete: list[str]
    points: list[str]


def read(paths: Sequence[str]) -> Reading:
    """Reads the runs at some paths and at every depth below them.

    Raises:
        RunDirectoryError: a path does not exist, or no run can be shown.
    """
    found = find_runs.find(paths)
    left_out = list(found.left_out)
    points: list[str] = []
    readable = []
    for directory in found.runs:
        try:
            readable.append(_read_run(directory, points))
        except RunDirectoryError as error:
            left_out.append(plain_text.one_line(error))
    environments: dict[str, list[list[Run]]] = {}
    for runs in _by_identity(readable):
        kept, sentences = _one_per_seed(runs)
        left_out += sentences
        title = plain_text.one_line(setting_differences.title(kept[0].experiment))
        environments.setdefault(title, []).append(kept)
    if not environments:
        raise RunDirectoryError(_none(left_out))
    groups = {title: _label(members) for title, members in environments.items()}
    shown = [
        run for members in groups.values() for each in members for run in each.runs
    ]
    incomplete = [_progress(run) for run in shown if not run.complete]
    return Reading(groups, left_out, incomplete, points)


def _none(reasons: Sequence[str]) -> str:
    if len(reasons) == 1:
        return reasons[0]
    more = f"; and {len(reasons) - _SHOWN:,} more" if len(reasons) > _SHOWN else ""
    return f"no run can be shown: {'; '.join(reasons[:_SHOWN])}{more}"


def _progress(run: Run) -> str:
    state = "is still running" if run.running else "ended early"
    place = f"evaluated to {run.evaluated:,} of {run.experiment['steps']:,} steps"
    return f"{plain_text.one_line(run.directory)} {state}: {place}"


def _read_run(directory: Path, points: list[str]) -> Run:
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
    notes = [log.note for log in (evaluations, metrics) if log.note]
    if not any(row.returns for row in evaluations.rows):
        reason = f": {notes[0]}" if evaluations.lost else ""
        raise RunDirectoryError(f"{directory} has no evaluation yet{reason}")
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
    )


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
    resumed = config.get("resumed", [])
    if not isinstance(resumed, list) or not all(isinstance(r, dict) for r in resumed):
        raise RunDirectoryError(f"{path}: `resumed` must be a list of mappings")
    for start in (config, *resumed):
        if not isinstance(start.get("versions", {}), dict):
            raise RunDirectoryError(f"{path}: `versions` must be a mapping")


def _by_identity(runs: Iterable[Run]) -> list[list[Run]]:
    """Groups the runs whose settings are equal, except for seed and similar fields."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        identity = json.dumps(setting_differences.flat(run.experiment), sort_keys=True)
        found.setdefault(identity, []).append(run)
    return list(found.values())


def _one_per_seed(runs: Sequence[Run]) -> tuple[list[Run], list[str]]:
    """The run of each seed with the most steps (the newest if equal), by seed.

    Also returns a sentence for each other run: a copy, or a repetition of the seed.
    """
    best: dict[int, Run] = {}
    for run in runs:
        other = best.setdefault(run.experiment["seed"], run)
        if _order(run) > _order(other):
            best[run.experiment["seed"]] = run
    sentences = []
    for run in runs:
        kept = best[run.experiment["seed"]]
        if run is not kept:
            what = "repeats the seed" if _start(run) != _start(kept) else "is a copy"
            paths = (
                plain_text.one_line(run.directory),
                plain_text.one_line(kept.directory),
            )
            sentences.append(f"{paths[0]} {what} of {paths[1]}")
    return [best[seed] for seed in sorted(best)], sentences


def _order(run: Run) -> tuple[int, str]:
    return run.clock, str(run.config.get("started", ""))


def _start(run: Run) -> tuple[Any, ...]:
    """When and where a run was started; equal for a run directory and its copy."""
    known = [run.config.get(name) for name in ("started", "machine", "command")]
    return tuple(known) if known[0] else (id(run),)


def _label(members: Sequence[list[Run]]) -> list[Group]:
    """Labels groups with the shortest names that distinguish them."""
    experiments = [runs[0].experiment for runs in members]
    for field in ("agent_name", "name"):
        names = [plain_text.one_line(each[field]) for each in experiments]
        if len(set(names)) == len(names):
            return [Group(*pair) for pair in zip(names, members, strict=True)]
    pairs = {(each["agent_name"], each["name"]) for each in experiments}
    field = "agent_name" if len(pairs) == len({agent for agent, _ in pairs}) else "name"
    flat = [setting_differences.flat(experiment) for experiment in experiments]
    labels: list[str] = []
    for own, experiment in zip(flat, experiments, strict=True):
        rivals = [each for each in flat if each["name"] == own["name"]]
        changed = [
            path for path in setting_differences.differences(rivals) if path in own
        ]
        shown = [f"{path.rpartition('.')[2]} {own[path]}" for path in changed[:_SHOWN]]
        label = plain_text.one_line(", ".join([experiment[field], *shown]))
        labels.append(f"{label} #{len(labels) + 1}" if label in labels else label)
    return [Group(*pair) for pair in zip(labels, members, strict=True)]
