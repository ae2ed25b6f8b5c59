"""Truncates a run's logs to the checkpoint at which the run resumes."""

import csv
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from launch.runs.checkpoint import Checkpoint
from launch.runs.logs import EVALUATIONS, METRICS, SAMPLES, Counts


def truncate_to(directory: Path, resume: Checkpoint | None) -> None:
    """Deletes the rows of all logs after a checkpoint.

    Each file is replaced atomically: an interruption leaves the old or the new file.

    Args:
        directory: a run directory, which this process has locked.
        resume: where the run resumes; None: from the beginning, so all rows go.
    """
    steps = -1 if resume is None else resume.counts.clock
    for name in (f"{METRICS}.jsonl", SAMPLES):
        path = directory / name
        if path.exists():
            _truncate_json(path, steps)
    for name in (f"{METRICS}.csv", EVALUATIONS):
        path = directory / name
        if path.exists():
            _truncate_csv(path, steps)


def _truncate_json(path: Path, steps: int) -> None:
    # Text of a language may hold other line breaks than the one that ends a row.
    with path.open(newline="\n", encoding="utf-8", errors="surrogateescape") as file:
        lines = list(file)
    _replace(path, "".join(_kept(path, lines, steps, json.loads)))


def _truncate_csv(path: Path, steps: int) -> None:
    # Lines, not parsed rows: no field holds a line break, and kept rows stay as they
    # were written.
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        lines = file.read().splitlines(keepends=True)
    if not lines:
        return
    header = next(csv.reader(lines[:1]))

    def parsed(line: str) -> dict[str, str]:
        return dict(zip(header, next(csv.reader([line])), strict=False))

    kept = _kept(path, lines[1:], steps, parsed)
    _replace(path, "".join([lines[0], *kept]))


def _kept(
    path: Path, lines: Sequence[str], steps: int, parsed: Callable[[str], Any]
) -> Iterator[str]:
    """Yields the rows up to a number of steps; names rows that nobody can read."""
    whole = [line for line in lines if line.endswith("\n")]  # a kill cuts the last one
    for number, line in enumerate(whole):
        try:
            if _clock(parsed(line)) <= steps:
                yield line
        except (ValueError, KeyError, TypeError, StopIteration, csv.Error):
            print(
                f"munchausen: row {number + 1} of {path} cannot be read and is left "
                f"out: {line.strip()[:60]!r}",
                file=sys.stderr,
                flush=True,
            )


def _clock(row: Mapping[str, Any]) -> int:
    return Counts(*(int(row[name]) for name in Counts._fields)).clock


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.draft")
    with draft.open(
        "w", newline="", encoding="utf-8", errors="surrogateescape"
    ) as file:
        file.write(text)
    draft.replace(path)
