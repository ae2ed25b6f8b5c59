"""Reads run directories, and groups the runs that differ in nothing but their seed."""

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
WAITING = "waiting_share"  # how metrics end that say how long a role waited
_DEPTH = 3  # <root>/<agent>/<environment>/<run>, as `train` makes them


class Run(NamedTuple):
    """A run directory, read once.

    Attributes:
        directory: as it was named.
        config: what `config.yaml` holds.
        evaluations: oldest first, those in which an episode ended.
        metrics: rows of `metrics.jsonl`, oldest first.
        evaluated: the last point of the evaluation grid, with an episode or without.
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
        """Command, code and versions of its start, then of each time it was resumed."""
        return [self.config, *self.config.get("resumed", [])]

    @property
    def actor_steps(self) -> int:
        """The most actor steps that any row has."""
        return int(self._last("actor_steps"))

    @property
    def clock(self) -> int:
        """How far it is, in the steps that it counts."""
        return self.actor_steps or int(self._last("learner_steps"))

    @property
    def counted(self) -> Literal["actor", "learner"]:
        """Whose steps it counts: the learner's if it learns from a dataset."""
        return "learner" if self.experiment.get("dataset") else "actor"

    @property
    def frames(self) -> int:
        """The most frames that any row has."""
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
        """Whether the evaluation at the last step is there."""
        return self.evaluated >= self.experiment["steps"]


class Group(NamedTuple):
    """The seeds of one agent.

    Attributes:
        label: what tells it from the other groups on its environment.
        runs: at least one, by seed.
    """

    label: str
    runs: list[Run]

    @property
    def settings(self) -> dict[str, str]:
        """The experiment's fields by dotted path, without those of a single run."""
        return setting_differences.flat(self.runs[0].experiment)


class Reading(NamedTuple):
    """What some paths hold.

    Attributes:
        groups: those with evaluations, by environment in the order of the paths.
        notes: one sentence for each run that was left out.
    """

    groups: dict[str, list[Group]]
    notes: list[str]


def read(paths: Sequence[str]) -> Reading:
    """The runs at, or up to three folders below, some paths.

    Raises:
        RunDirectoryError: a path holds no run, a run is damaged, or none has been
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
            f"{path} is no run directory, nor a folder of them: no "
            f"{run_directory.CONFIG} there"
        )
    trained = [run for run in found if not computation.is_computed(run)]
    if not trained:
        raise RunDirectoryError(
            f"{path} is a computed figure, which a report does not show: see "
            f"{computation.PICTURE} and {computation.ROWS} in {found[-1]}"
        )
    return trained


def _runs_at(path: Path) -> list[Path]:
    path.stat()  # raises what `exists` would hide
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
    """Refuses what the page could not show."""
    experiment = config["experiment"]
    if not isinstance(experiment, dict):
        raise RunDirectoryError(f"{path} describes no experiment")
    for name, kind in _NEEDED.items():
        if not isinstance(experiment.get(name), kind):
            raise RunDirectoryError(f"{path}: the experiment has no {name}")
    if experiment["steps"] < 1:
        raise RunDirectoryError(f"{path}: {experiment['steps']} steps")
    resumed = config.get("resumed", [])
    if not isinstance(resumed, list) or not all(isinstance(r, dict) for r in resumed):
        raise RunDirectoryError(f"{path}: what resumed it is no list of starts")
    for start in (config, *resumed):
        if not isinstance(start.get("versions", {}), dict):
            raise RunDirectoryError(f"{path}: the versions have no names")


def read_metrics(directory: Path) -> list[dict[str, Any]]:
    """Rows of `metrics.jsonl`; a last line that is still being written is left out.

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
                raise ValueError(f"{value!r} is no {name}")
    return row


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"no column {text}" if isinstance(error, KeyError) else text


def _by_identity(runs: Iterable[Run]) -> list[list[Run]]:
    """Runs that differ in nothing but what a single run may have of its own."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        identity = json.dumps(setting_differences.flat(run.experiment), sort_keys=True)
        found.setdefault(identity, []).append(run)
    return list(found.values())


def _one_per_seed(runs: Sequence[Run]) -> tuple[list[Run], list[Run]]:
    """The run of each seed that got furthest (the newest of equals), and the rest."""
    ranked = sorted(
        runs, key=lambda run: (run.clock, str(run.config.get("started", "")))
    )
    best = {run.experiment["seed"]: run for run in ranked}
    kept = [best[seed] for seed in sorted(best)]
    return kept, [run for run in ranked if run not in kept]


def _label(members: Sequence[list[Run]]) -> list[Group]:
    """Groups under the shortest names that tell them apart."""
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
