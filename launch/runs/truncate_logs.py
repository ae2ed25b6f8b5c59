"""Truncates a run's logs to the checkpoint at which the run resumes."""

import csv
import json
from collections.abc import Mapping
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
    with path.open(newline="\n", encoding="utf-8") as file:
        kept = [
            line
            for line in file
            if line.endswith("\n") and _clock(json.loads(line)) <= steps
        ]
    _replace(path, "".join(kept))


def _truncate_csv(path: Path, steps: int) -> None:
    # Lines, not parsed rows: no field holds a line break, and kept rows stay as they
    # were written.
    with path.open(newline="", encoding="utf-8") as file:
        lines = file.read().splitlines(keepends=True)
    if not lines:
        return
    header = next(csv.reader(lines[:1]))
    kept = [
        line
        for line in lines[1:]
        if line.endswith("\n")
        and _clock(dict(zip(header, next(csv.reader([line])), strict=False))) <= steps
    ]
    _replace(path, "".join(lines[:1] + kept))


def _clock(row: Mapping[str, Any]) -> int:
    return Counts(*(int(row[name]) for name in Counts._fields)).clock


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("w", newline="", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)
