"""Reads the rows of tables that `experiments.tables.from_runs` wrote."""

import csv
import functools
import math
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from experiments.flags import OverrideError
from experiments.reporting import formats
from experiments.verbs import train_arguments
from launch.experiment import Experiment

_NEEDED = {"experiment", "seed", "grid", "mean_return", "command"}


class Point(NamedTuple):
    """An evaluation: seed, step and mean return."""

    seed: int
    grid: int
    value: float


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def evaluations(path: Path) -> list[dict[str, str]]:
    """The rows of a table of evaluations.

    Raises:
        ValueError: the file is not such a table.
    """
    rows = read(path)
    if not rows or not _NEEDED <= rows[0].keys():
        raise ValueError(
            f"{path} must be a table of evaluations from experiments.tables.from_runs"
        )
    return rows


class Points(NamedTuple):
    """The evaluations of a table.

    Attributes:
        found: rows with a finite return, and the evaluation in each.
        notes: one sentence about the other rows; none if there are none.
    """

    found: list[tuple[dict[str, str], Point]]
    notes: list[str]


def points(path: Path) -> Points:
    """Reads a table of evaluations.

    Raises:
        ValueError: the file is not such a table.
    """
    every = [(row, point(row)) for row in evaluations(path)]
    found = [(row, point) for row, point in every if point is not None]
    lost = len(every) - len(found)
    counted = formats.plural(lost, "row")
    left_out = f"{path}: left out {counted} without a finite return"
    return Points(found, [left_out] if lost else [])


def point(row: Mapping[str, str]) -> Point | None:
    """The evaluation in a row; None if one of its numbers is not finite."""
    try:
        found = Point(int(row["seed"]), int(row["grid"]), float(row["mean_return"]))
    except (TypeError, ValueError):  # an empty cell, a word, or a row that is too short
        return None
    return found if math.isfinite(found.value) else None


@functools.cache
def planned(name: str, command: str) -> Experiment:
    """The experiment of a row.

    Args:
        name: of the experiment.
        command: the recorded command; XLA's flags may precede it. Its directories with
            first weights may be those of another machine, so they are not looked up.

    Raises:
        ValueError: today's program does not run that experiment with this command.
    """
    _, _, arguments = command.partition(" train ")
    try:
        experiments = train_arguments.plan(_without_weights(arguments)).experiments
    except OverrideError as error:
        raise ValueError(f"{command!r} does not run any more: {error}") from error
    found = [each for each in experiments if each.name == name]
    if not found:
        raise ValueError(f"{command!r} does not run {name}")
    return found[0]


def _without_weights(arguments: str) -> list[str]:
    """The words of a command line without its flags `--initial.NETWORK SOURCE`."""
    found: list[str] = []
    words = iter(shlex.split(arguments))
    for word in words:
        if not word.startswith("--initial."):
            found.append(word)
        elif "=" not in word:
            next(words, None)
    return found
