"""The logs of a run: `metrics.*`, `evaluations.csv` and, of language, `samples.jsonl`.

Two local runs with the same seed have equal logs, except for the fields for which
`is_wall_time` holds. Each log has one writer: if several processes report, one of them
writes.
"""

import csv
import json
import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TextIO

from launch.errors import RunDirectoryError

Scalar = float | int | bool | str | None

METRICS = "metrics"
EVALUATIONS = "evaluations.csv"
SAMPLES = "samples.jsonl"
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


class Episode(NamedTuple):
    """An episode that ended: undiscounted raw return, and length in decisions."""

    episode_return: float
    length: int


class Sample(NamedTuple):
    """A completion of an evaluation, as text, with its reward.

    Attributes:
        prompt: the text that the policy continued.
        completion: the policy's text.
        reward: its score.
        reference: the task's text; empty if the task has none.
    """

    prompt: str
    completion: str
    reward: float
    reference: str = ""


class Evaluated(NamedTuple):
    """The results of an evaluation.

    Attributes:
        episodes: that were played, lane after lane.
        samples: the first completions, if the episodes are completions.
        measures: the agent's measures and the mean discounted return, by name.
    """

    episodes: Sequence[Episode]
    samples: Sequence[Sample] = ()
    measures: Mapping[str, float] = MappingProxyType({})

    @property
    def returns(self) -> list[float]:
        """Of each episode."""
        return [episode.episode_return for episode in self.episodes]


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
        """Steps as the run counts them: actor steps, or learner steps offline."""
        return self.actor_steps or self.learner_steps


def is_wall_time(name: str) -> bool:
    """Whether a field measures wall time and so differs between equal runs."""
    return name == "wall_time" or name.endswith(("_per_second", "_seconds"))


class GrowingCsv:
    """A CSV file that gains a column whenever a row brings a new key."""

    def __init__(self, path: Path, columns: Iterable[str] = ()):
        """Continues the file if it exists.

        Args:
            path: the file; the first row creates it.
            columns: the initial columns.
        """
        self._path = path
        self._columns = list(columns)
        self._file: TextIO | None = None
        if path.exists() and path.stat().st_size:
            with path.open(newline="", encoding="utf-8") as file:
                self._columns = next(csv.reader(file))
            self._file = path.open("a", newline="", encoding="utf-8")

    def write(self, row: Mapping[str, Scalar]) -> None:
        """Appends a row and flushes it; columns missing from the row stay empty."""
        new = [name for name in row if name not in self._columns]
        if new or self._file is None:
            self._columns += new
            self._file = self._rewrite()
        csv.DictWriter(
            self._file, self._columns, restval="", lineterminator="\n"
        ).writerow(row)
        self._file.flush()

    def _rewrite(self) -> TextIO:
        """Rewrites the file with the new header; a draft replaces it, losing no row."""
        rows: list[dict[str, str]] = []
        if self._file is not None:
            self._file.close()
            with self._path.open(newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
        draft = self._path.with_name(f".{self._path.name}.draft")
        with draft.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(
                file, self._columns, restval="", lineterminator="\n"
            )
            writer.writeheader()
            writer.writerows(rows)
        draft.replace(self._path)
        return self._path.open("a", newline="", encoding="utf-8")

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()


class MetricsLog:
    """Rows of `metrics.jsonl` and `metrics.csv`.

    A row holds the four counters, `wall_time` (seconds since `start`), `role` and any
    values. JSON has no NaN or infinity: they become null in JSON, and stay in the CSV.
    """

    def __init__(
        self, directory: str | os.PathLike[str], *, start: float | None = None
    ):
        """Opens the files; rows already there are kept.

        Args:
            directory: a run directory.
            start: `time.monotonic()` when the run began; None: now.
        """
        path = Path(directory)
        self._start = time.monotonic() if start is None else start
        self._json = (path / f"{METRICS}.jsonl").open("a", encoding="utf-8")
        self._csv = GrowingCsv(path / f"{METRICS}.csv")

    def write(self, counts: Counts, role: str, values: Mapping[str, Any]) -> None:
        """Appends one row and flushes it; values are scalars of Python, numpy or jax.

        Raises:
            ValueError: a value has the name of a counter, or is not a scalar.
        """
        row: dict[str, Scalar] = dict(counts._asdict())
        row |= {"wall_time": round(time.monotonic() - self._start, 3), "role": role}
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
            start: `time.monotonic()` when the run began; None: now.
        """
        self._start = time.monotonic() if start is None else start
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
            returns: raw return of each episode; may be empty.
            lengths: agent decisions in each episode.
        """
        values = [float(value) for value in returns]
        row: dict[str, Scalar] = {"grid": int(grid_step), **counts._asdict()}
        row["mean_return"] = sum(values) / len(values) if values else None
        row["returns"] = " ".join(map(repr, values))
        row["lengths"] = " ".join(str(int(length)) for length in lengths)
        row["wall_time"] = round(time.monotonic() - self._start, 3)
        self._csv.write(row)

    def close(self) -> None:
        """Closes the file."""
        self._csv.close()


def write_samples(
    directory: Path, grid_step: int, counts: Counts, samples: Iterable[Sample]
) -> None:
    """Appends the samples of an evaluation to `samples.jsonl`, a line for each.

    Args:
        directory: a run directory.
        grid_step: the grid point, on the run's clock, of the evaluation.
        counts: the counters of the parameters that were evaluated.
        samples: may be empty; then nothing is written.
    """
    place = {"grid": int(grid_step), **counts._asdict()}
    lines = [
        json.dumps(place | sample._asdict(), ensure_ascii=False) for sample in samples
    ]
    if lines:
        with (directory / SAMPLES).open("a", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in lines))


class EvaluationRow(NamedTuple):
    """A row of `evaluations.csv`.

    Attributes:
        grid: the grid point, on the run's clock, of the evaluation.
        counts: the counters of the parameters that were evaluated.
        returns: raw return of each episode; in lock-step, of each episode that ended
            since the previous row; may be empty.
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
        """Mean over the episodes; NaN if there are none."""
        return sum(self.returns) / len(self.returns) if self.returns else math.nan


def read_evaluations(directory: str | os.PathLike[str]) -> list[EvaluationRow]:
    """The evaluations of a run so far, oldest first; empty before the first one.

    Raises:
        RunDirectoryError: the file cannot be read, or a line is not an evaluation.
    """
    path, rows = Path(directory) / EVALUATIONS, []
    for number, row in _evaluation_lines(path):
        if row is None:
            raise RunDirectoryError(
                f"cannot read {path}: line {number} must be an evaluation, with a "
                f"number in each of the columns {', '.join(EVALUATION_COLUMNS)}; "
                "delete that line"
            )
        rows.append(row)
    return rows


def evaluated(directory: str | os.PathLike[str]) -> int:
    """The last grid point of a run's evaluations; 0 before the first one.

    Lines that are not evaluations are passed over; a run that resumes drops them.

    Raises:
        RunDirectoryError: the file cannot be read, or lacks a column.
    """
    lines = _evaluation_lines(Path(directory) / EVALUATIONS)
    return max((row.grid for _, row in lines if row is not None), default=0)


def _evaluation_lines(path: Path) -> Iterator[tuple[int, EvaluationRow | None]]:
    """Yields the number of each complete line but the header, and its evaluation.

    The evaluation is None if the line has a wrong number of cells, or a cell that
    should be a number is not.

    Raises:
        RunDirectoryError: the file cannot be read, or lacks a column.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    except OSError as error:
        raise RunDirectoryError(f"cannot read {path}: {error.strerror}") from error
    header, *lines = text.split("\n")
    names = header.rstrip("\r").split(",")
    for number, line in enumerate(lines[:-1], start=2):  # the last is being written
        if line.strip():
            cells = line.rstrip("\r").split(",")
            try:
                row = evaluation_row(dict(zip(names, cells, strict=True)))
            except KeyError as error:
                raise RunDirectoryError(
                    f"cannot read {path}: it has no column {error.args[0]}"
                ) from error
            except ValueError:
                row = None
            yield number, row


def evaluation_row(row: Mapping[str, str]) -> EvaluationRow:
    """Reads the cells of one row of `evaluations.csv`, by column.

    Raises:
        KeyError: a column is missing.
        ValueError: a cell is not a number.
    """
    return EvaluationRow(
        int(row["grid"]),
        Counts(*(int(row[name]) for name in Counts._fields)),
        [float(value) for value in row["returns"].split()],
        [int(value) for value in row["lengths"].split()],
        float(row["wall_time"]),
    )


def _scalar(name: str, value: Any) -> Scalar:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if getattr(value, "size", 1) != 1 or not hasattr(value, "item"):
        raise ValueError(f"metric {name!r} must be a scalar, got {value!r}")
    return value.item()


def _strict(value: Scalar) -> Scalar:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def last_evaluated_step(directory: Path, start: int) -> int:
    """The last point of the grid that a run evaluated before its checkpoint at `start`.

    An evaluation in progress at the checkpoint is not in the log; the resumed run
    repeats it first.
    """
    rows = read_evaluations(directory)
    return max((row.grid for row in rows if row.counts.clock <= start), default=0)
