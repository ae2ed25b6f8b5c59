"""Reads the logs of a run row by row: a row that cannot be used costs only itself.

A run may be in progress or have been killed, so its last line may be incomplete.
"""

import csv
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from launch.errors import RunDirectoryError
from launch.runs import logs
from launch.runs.logs import EvaluationRow, Sample

WAITING = "waiting_share"  # suffix of metrics that measure how long a role waited
ACTION_GAP = "action_gap"  # the learner's metric of agents with discrete actions
_COLUMNS = [name for name in logs.EVALUATION_COLUMNS if name != "mean_return"]
_NAMED = 3  # lines that a sentence names

_Row = TypeVar("_Row")


@dataclass
class Log(Generic[_Row]):
    """The rows of a log that can be used, and the lines that were left out.

    Attributes:
        name: of the file.
        rows: in the order of the file.
        lost: line numbers, from 1, by the reason why they were left out.
    """

    name: str
    rows: list[_Row] = field(default_factory=list)
    lost: dict[str, list[int]] = field(default_factory=dict)

    def lose(self, line: int, reason: str) -> None:
        """Counts a line as left out."""
        self.lost.setdefault(reason, []).append(line)

    @property
    def note(self) -> str:
        """How many points were left out, and why; empty if none."""
        if not self.lost:
            return ""
        count = sum(map(len, self.lost.values()))
        reasons = [f"{reason} in {_lines(at)}" for reason, at in self.lost.items()]
        noun = "point" if count == 1 else "points"
        return f"left out {count:,} {noun} of {self.name} ({'; '.join(reasons)})"


def read_evaluations(directory: Path) -> tuple[Log[EvaluationRow], int]:
    """Reads the evaluations of a run, in the order of the grid.

    Returns:
        The evaluations, also those in which no episode ended; and the last point of
        the grid that the file names, even if its evaluation was left out.

    Raises:
        RunDirectoryError: the file cannot be read, or lacks a column.
    """
    log: Log[EvaluationRow] = Log(logs.EVALUATIONS)
    lines = _read(directory, log)
    header = _cells(lines[0][1]) if lines else []
    absent = [name for name in _COLUMNS if name not in header]
    if lines and absent:
        path = directory / logs.EVALUATIONS
        raise RunDirectoryError(f"cannot read {path}: it has no column {absent[0]}")
    found: dict[int, tuple[int, EvaluationRow]] = {}
    last = 0
    for number, line in lines[1:]:
        cells = _cells(line)
        try:
            if len(cells) != len(header):
                raise ValueError("a cell is missing")
            row = logs.evaluation_row(dict(zip(header, cells, strict=True)))
            if min(row.grid, *row.counts) < 0:
                raise ValueError("a counter is negative")
        except (ValueError, OverflowError):
            log.lose(number, "malformed")
            continue
        last = max(last, row.grid)
        if row.returns and not _finite(row.mean_return, row.wall_time):
            log.lose(number, "not finite")
            continue
        if row.grid in found:
            log.lose(found[row.grid][0], "repeated by a later line")
        found[row.grid] = number, row
    log.rows = [row for _, (_, row) in sorted(found.items())]
    return log, last


def read_metrics(directory: Path) -> Log[dict[str, Any]]:
    """Reads the rows of `metrics.jsonl`; values that are not finite become None.

    Raises:
        RunDirectoryError: the file cannot be read.
    """
    log: Log[dict[str, Any]] = Log(f"{logs.METRICS}.jsonl")
    for number, line in _read(directory, log):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not _is_metrics_row(row):
            log.lose(number, "malformed")
            continue
        for name in [each for each in row if _is_measured(each)]:
            if not _finite(row[name]):
                row[name] = None
                if name == "episode_return":
                    log.lose(number, "not finite")
        log.rows.append(row)
    return log


def read_samples(directory: Path) -> Log[Sample]:
    """Reads the completions of the last evaluation that has some, in their order.

    Raises:
        RunDirectoryError: the file cannot be read.
    """
    log: Log[Sample] = Log(logs.SAMPLES)
    last = -1
    for number, line in _read(directory, log):
        try:
            row = json.loads(line)
            grid = int(row["grid"])
            texts = [str(row[name]) for name in ("prompt", "completion", "reference")]
            prompt, completion, reference = texts
            sample = Sample(prompt, completion, float(row["reward"]), reference)
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            log.lose(number, "malformed")
            continue
        if grid > last:
            log.rows, last = [], grid
        if grid == last:
            log.rows.append(sample)
    return log


def _read(directory: Path, log: Log[Any]) -> list[tuple[int, str]]:
    """Numbers and texts of complete lines; none if there is no file yet.

    Raises:
        RunDirectoryError: the file cannot be read.
    """
    path = directory / log.name
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError as error:
        if not directory.is_dir():
            raise RunDirectoryError(f"{directory} disappeared") from error
        return []
    except OSError as error:
        raise RunDirectoryError(f"cannot read {path}: {error.strerror}") from error
    *lines, rest = text.split("\n")
    if rest:
        log.lose(len(lines) + 1, "incomplete")
    return [pair for pair in enumerate(lines, start=1) if pair[1].strip()]


def _cells(line: str) -> list[str]:
    try:
        return next(csv.reader([line.rstrip("\r")]), [])
    except csv.Error:  # a NUL byte, as a disk that was full or switched off leaves it
        return []


def _is_metrics_row(row: Any) -> bool:
    if not isinstance(row, dict) or not isinstance(row.get("role"), str):
        return False
    counters: list[Any] = [
        row.get(name) for name in (*logs.Counts._fields, "wall_time")
    ]
    return _finite(*counters) and min(counters) >= 0


def _is_measured(name: str) -> bool:
    """Whether a report uses this metric."""
    return name in ("episode_return", ACTION_GAP) or name.endswith(WAITING)


def _finite(*values: Any) -> bool:
    """Whether all values are numbers that a float can hold, except NaN and infinity."""
    try:
        return all(
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and math.isfinite(value)
            for value in values
        )
    except OverflowError:
        return False


def _lines(numbers: Iterable[int]) -> str:
    at = sorted(numbers)
    shown = ", ".join(f"{number:,}" for number in at[:_NAMED])
    more = f" and {len(at) - _NAMED:,} more" if len(at) > _NAMED else ""
    return f"line{'' if len(at) == 1 else 's'} {shown}{more}"
