"""What a run leaves behind: its directory, `metrics.*`, `evaluations.csv`.

Of two local runs with one seed every column is equal, except the fields for which
`is_wall_time` holds. Each log has one writer: where several processes report, one of
them writes.
"""

import csv
import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from launch import config
from launch.growing_csv import GrowingCsv, Scalar

CONFIG = "config.yaml"
METRICS = "metrics"
EVALUATIONS = "evaluations.csv"
PRETRAINING = "pretraining"  # where a first stage has a run directory of its own
EVALUATION_COLUMNS = (
    "grid",
    "actor_steps",
    "frames",
    "learner_steps",
    "episodes",
    "mean_return",
    "returns",
    "lengths",
    "wall_time",
)


class Counts(NamedTuple):
    """How far a run is; every logged row carries all four.

    Attributes:
        actor_steps: agent decisions taken; none in a run that learns from a dataset.
        frames: environment frames, actor_steps x action repeat.
        learner_steps: gradient steps.
        episodes: training episodes ended.
    """

    actor_steps: int = 0
    frames: int = 0
    learner_steps: int = 0
    episodes: int = 0

    @property
    def clock(self) -> int:
        """What the run counts its steps in: actor steps, or learner steps offline."""
        return self.actor_steps or self.learner_steps


class RunDirectoryError(Exception):
    """A run directory cannot be written or read; the message says which and why."""


def is_wall_time(name: str) -> bool:
    """Whether a field measures wall time and so differs between equal runs."""
    return name == "wall_time" or name.endswith(("_per_second", "_seconds"))


def create(root: str | os.PathLike[str], experiment: Any) -> Path:
    """Makes `<root>/<name>/seed<k>-<time>[-<i>]/` with `config.yaml` in it.

    Args:
        root: directory of all runs; made if missing.
        experiment: the Experiment about to run.

    Raises:
        RunDirectoryError: nothing can be written there.
    """
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    parent = Path(root) / experiment.name
    plain = {"experiment": config.to_plain(experiment), **config.circumstances()}
    try:
        parent.mkdir(parents=True, exist_ok=True)
        directory = _make_unique(parent, f"seed{experiment.seed}-{stamp}")
        with (directory / CONFIG).open("w", encoding="utf-8") as file:
            yaml.safe_dump(plain, file, sort_keys=False)
    except OSError as error:
        raise RunDirectoryError(f"cannot write runs to {root}: {error}") from error
    return directory


def record_resume(directory: str | os.PathLike[str], experiment: Any) -> None:
    """Adds to `config.yaml` that the run goes on, as this experiment, with this code.

    Raises:
        RunDirectoryError: nothing can be written there.
    """
    plain = read_config(directory) | {"experiment": config.to_plain(experiment)}
    plain["resumed"] = [*plain.get("resumed", []), config.circumstances()]
    path = Path(directory) / CONFIG
    draft = path.with_name(f".{CONFIG}.draft")
    try:
        draft.write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise RunDirectoryError(f"cannot write {path}: {error}") from error


def _make_unique(parent: Path, name: str) -> Path:
    for suffix in range(10_000):
        directory = parent / (f"{name}-{suffix}" if suffix else name)
        try:
            directory.mkdir()
        except FileExistsError:
            continue  # another run started in the same second
        return directory
    raise FileExistsError(f"{parent / name} and 9,999 successors exist")


def read_config(directory: str | os.PathLike[str]) -> dict[str, Any]:
    """What `create` wrote: `experiment`, `command`, `started`, `code`, `versions`.

    Raises:
        RunDirectoryError: the directory is missing or is not a run directory.
    """
    path = Path(directory) / CONFIG
    try:
        plain = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RunDirectoryError(
            f"{directory} is no run directory: it has no {CONFIG}"
        ) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise RunDirectoryError(f"cannot read {path}: {reason}") from error
    if not isinstance(plain, dict) or "experiment" not in plain:
        raise RunDirectoryError(f"{path} describes no experiment")
    return plain


def read_experiment(directory: str | os.PathLike[str]) -> Any:
    """The Experiment of a run directory, equal to the one given to `create`.

    Raises:
        RunDirectoryError: not a run directory, or one of an incompatible version, or
            one in which no agent learned.
    """
    plain = read_config(directory)["experiment"]
    if isinstance(plain, dict) and plain.get("kind") == "Computed":
        raise RunDirectoryError(f"{directory} is a computed figure: no agent is there")
    try:
        return config.read_experiment(plain)
    except (KeyError, TypeError, ValueError) as error:
        raise RunDirectoryError(
            f"{Path(directory) / CONFIG} does not fit this version: {error}"
        ) from error


class MetricsLog:
    """Rows of `metrics.jsonl` and `metrics.csv`.

    A row holds the four counters, `wall_time` (seconds since `start`), `role` and any
    values. JSON has no NaN or infinity: they become null there, and stay in the CSV.
    """

    def __init__(
        self, directory: str | os.PathLike[str], *, start: float | None = None
    ):
        """Opens the files; rows already there are kept.

        Args:
            directory: a run directory.
            start: `time.time()` when the run began; None: now.
        """
        path = Path(directory)
        self._start = time.time() if start is None else start
        self._json = (path / f"{METRICS}.jsonl").open("a", encoding="utf-8")
        self._csv = GrowingCsv(path / f"{METRICS}.csv")

    def write(self, counts: Counts, role: str, values: Mapping[str, Any]) -> None:
        """Appends one row and flushes it; values are scalars of Python, numpy or jax.

        Raises:
            ValueError: a value has the name of a counter, or is no scalar.
        """
        row: dict[str, Scalar] = dict(counts._asdict())
        row |= {"wall_time": round(time.time() - self._start, 3), "role": role}
        clash = sorted(row.keys() & values.keys())
        if clash:
            raise ValueError(f"metric {clash[0]!r} has the name of a row's own column")
        row |= {name: _scalar(name, value) for name, value in values.items()}
        strict = {name: _strict(value) for name, value in row.items()}
        self._json.write(json.dumps(strict, allow_nan=False) + "\n")
        self._json.flush()
        self._csv.write(row)

    def close(self) -> None:
        """Closes the files."""
        self._json.close()
        self._csv.close()


class EvaluationLog:
    """Rows of `evaluations.csv`: raw returns of the evaluator on a fixed step grid."""

    def __init__(
        self, directory: str | os.PathLike[str], *, start: float | None = None
    ):
        """Opens the file; rows already there are kept.

        Args:
            directory: a run directory.
            start: `time.time()` when the run began; None: now.
        """
        self._start = time.time() if start is None else start
        self._csv = GrowingCsv(Path(directory) / EVALUATIONS, EVALUATION_COLUMNS)

    def write(
        self,
        grid_step: int,
        counts: Counts,
        returns: Sequence[float],
        lengths: Sequence[int],
    ) -> None:
        """Appends one evaluation and flushes it.

        Args:
            grid_step: the grid point, on the run's clock, that this evaluation is for.
            counts: the counters of the parameters that were evaluated.
            returns: raw return of each episode; perhaps none.
            lengths: agent decisions in each episode.
        """
        values = [float(value) for value in returns]
        row: dict[str, Scalar] = {"grid": int(grid_step), **counts._asdict()}
        row["mean_return"] = sum(values) / len(values) if values else None
        row["returns"] = " ".join(map(repr, values))
        row["lengths"] = " ".join(str(int(length)) for length in lengths)
        row["wall_time"] = round(time.time() - self._start, 3)
        self._csv.write(row)

    def close(self) -> None:
        """Closes the file."""
        self._csv.close()


class EvaluationRow(NamedTuple):
    """A row of `evaluations.csv`.

    Attributes:
        grid: the grid point, on the run's clock, that it is for.
        counts: the counters of the parameters that were evaluated.
        returns: raw return of each episode; in lock-step, those that ended since the
            row before, perhaps none.
        lengths: agent decisions in each episode.
        wall_time: seconds since the start of the run.
    """

    grid: int
    counts: Counts
    returns: list[float]
    lengths: list[int]
    wall_time: float

    @property
    def mean_return(self) -> float:
        """Mean over the episodes; NaN without any."""
        return sum(self.returns) / len(self.returns) if self.returns else math.nan


def read_evaluations(directory: str | os.PathLike[str]) -> list[EvaluationRow]:
    """The evaluations of a run so far, oldest first; none if there is no file yet."""
    path = Path(directory) / EVALUATIONS
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [
            EvaluationRow(
                int(row["grid"]),
                Counts(*(int(row[name]) for name in Counts._fields)),
                [float(value) for value in row["returns"].split()],
                [int(value) for value in row["lengths"].split()],
                float(row["wall_time"]),
            )
            for row in csv.DictReader(file)
            if row["wall_time"]  # absent while the last row is being written
        ]


def _scalar(name: str, value: Any) -> Scalar:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if getattr(value, "size", 1) != 1 or not hasattr(value, "item"):
        raise ValueError(f"metric {name!r} is no scalar: {value!r}")
    return value.item()


def _strict(value: Scalar) -> Scalar:
    return None if isinstance(value, float) and not math.isfinite(value) else value
