"""Reads run directories, and groups the runs that differ only in their seed."""

import csv
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from experiments.catalogue import computation
from experiments.reporting import setting_differences
from launch.errors import RunDirectoryError
from launch.runs import logs, run_directory
from launch.runs.logs import EvaluationRow

_NEEDED: dict[str, type] = {
    "name": str,
    "agent_name": str,
    "seed": int,
    "steps": int,
    "environment": dict,
}
_SHOWN = 4  # fields in a label
WAITING = "waiting_share"  # suffix of metrics that measure how long a role waited
_DEPTH = 3  # <root>/<agent>/<environment>/<run>, as `train` makes them


class Run(NamedTuple):
    """A run directory, read once.

    Attributes:
        directory: path as given by the caller.
        config: content of `config.yaml`.
        evaluations: evaluations in which an episode ended, oldest first.
        metrics: rows of `metrics.jsonl`, oldest first.
        evaluated: last point of the evaluation grid, even if no episode ended there.
    """

    directory: Path
    config: dict[str, Any]
    evaluations: list[EvaluationRow]
    metrics: list[dict[str, Any]]
    evaluated: int

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
        notes: one sentence for each run that was left out.
    """

    groups: dict[str, list[Group]]
    notes: list[str]


def read(paths: Sequence[str]) -> Reading:
    """Reads the runs at some paths, or up to three folders below them.

    Raises:
        RunDirectoryError: a path holds no run, a run is damaged, or no run has been
            evaluated yet.
    """
    found = {path.resolve(): path for name in paths for path in _expand(Path(name))}
    runs = [_read_run(path) for path in found.values()]
    evaluated = [run for run in runs if run.evaluations]
    if not evaluated:
        raise RunDirectoryError(f"{paths[0]} has no evaluation yet: nothing to report")
    notes = [
        f"{run.directory} has no evaluation yet." for run in runs if not run.evaluations
    ]
    environments: dict[str, list[list[Run]]] = {}
    for runs in _by_identity(evaluated):
        kept, repeated = _one_per_seed(runs)
        notes += [f"{run.directory} repeats a seed of another run." for run in repeated]
        title = setting_differences.title(kept[0].experiment)
        environments.setdefault(title, []).append(kept)
    groups = {title: _label(members) for title, members in environments.items()}
    return Reading(groups, notes)


def _expand(path: Path) -> list[Path]:
    try:
        found = _runs_at(path)
    except FileNotFoundError as error:
        raise RunDirectoryError(f"{path} does not exist") from error
    except OSError as error:
        raise RunDirectoryError(f"cannot read {path}: {error.strerror}") from error
    if not found:
        raise RunDirectoryError(
            f"{path} is not a run directory or a folder of run directories: no "
            f"{run_directory.CONFIG} there"
        )
    trained = [run for run in found if not computation.is_computed(run)]
    if not trained:
        raise RunDirectoryError(
            f"{path} is a computed figure, which a report cannot show; see "
            f"{computation.PICTURE} and {computation.ROWS} in {found[-1]}"
        )
    return trained


def _runs_at(path: Path) -> list[Path]:
    path.stat()  # raises errors that `exists` would hide
    if not path.is_dir():
        raise RunDirectoryError(f"{path} is a file: name a run directory")
    if (path / run_directory.CONFIG).exists():
        return [path]
    for depth in range(1, _DEPTH + 1):
        found = sorted(path.glob("*/" * depth + run_directory.CONFIG))
        runs = [config.parent for config in found]
        if runs:
            return runs
    return []


def _read_run(directory: Path) -> Run:
    config = run_directory.read_config(directory)
    _check_config(directory / run_directory.CONFIG, config)
    try:
        evaluations = logs.read_evaluations(directory)
        rows = sorted(evaluations, key=lambda row: row.grid)
        played = [row for row in rows if row.returns]
        finite = all(math.isfinite(row.mean_return) for row in played)
    except (ArithmeticError, KeyError, OSError, TypeError, ValueError, csv.Error) as e:
        path = directory / logs.EVALUATIONS
        raise RunDirectoryError(f"cannot read {path}: {_one_line(e)}") from e
    if not finite:
        path = directory / logs.EVALUATIONS
        raise RunDirectoryError(f"cannot read {path}: a return is not finite")
    evaluated = rows[-1].grid if rows else 0
    return Run(directory, config, played, read_metrics(directory), evaluated)


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
    resumed = config.get("resumed", [])
    if not isinstance(resumed, list) or not all(isinstance(r, dict) for r in resumed):
        raise RunDirectoryError(f"{path}: `resumed` must be a list of mappings")
    for start in (config, *resumed):
        if not isinstance(start.get("versions", {}), dict):
            raise RunDirectoryError(f"{path}: `versions` must be a mapping")


def read_metrics(directory: Path) -> list[dict[str, Any]]:
    """Reads the rows of `metrics.jsonl`, except an incomplete last line.

    Raises:
        RunDirectoryError: the file is damaged.
    """
    path = directory / f"{logs.METRICS}.jsonl"
    if not path.exists():
        return []
    rows = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        for line in lines:
            if line.endswith("\n"):
                rows.append(_metrics_row(json.loads(line)))
    except (OSError, TypeError, ValueError) as error:
        raise RunDirectoryError(f"cannot read {path}: {_one_line(error)}") from error
    return rows


def _metrics_row(row: Any) -> dict[str, Any]:
    if not isinstance(row, dict) or not isinstance(row.get("role"), str):
        raise ValueError("a row names no role")
    for name in (*logs.Counts._fields, "wall_time"):
        if not isinstance(row.get(name), int | float):
            raise ValueError(f"a row has no number for {name}")
    for name, value in row.items():
        if name == "episode_return" or name.endswith(WAITING):
            if not isinstance(value, int | float | None):
                raise ValueError(f"{name} must be a number, got {value!r}")
    return row


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"no column {text}" if isinstance(error, KeyError) else text


def _by_identity(runs: Iterable[Run]) -> list[list[Run]]:
    """Groups the runs whose settings are equal, except for seed and similar fields."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        identity = json.dumps(setting_differences.flat(run.experiment), sort_keys=True)
        found.setdefault(identity, []).append(run)
    return list(found.values())


def _one_per_seed(runs: Sequence[Run]) -> tuple[list[Run], list[Run]]:
    """The run of each seed with the most steps (the newest if equal), and the rest."""
    ranked = sorted(
        runs, key=lambda run: (run.clock, str(run.config.get("started", "")))
    )
    best = {run.experiment["seed"]: run for run in ranked}
    kept = [best[seed] for seed in sorted(best)]
    return kept, [run for run in ranked if run not in kept]


def _label(members: Sequence[list[Run]]) -> list[Group]:
    """Labels groups with the shortest names that distinguish them."""
    experiments = [runs[0].experiment for runs in members]
    for field in ("agent_name", "name"):
        names = [experiment[field] for experiment in experiments]
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
        label = ", ".join([experiment[field], *shown])
        labels.append(f"{label} #{len(labels) + 1}" if label in labels else label)
    return [Group(*pair) for pair in zip(labels, members, strict=True)]
