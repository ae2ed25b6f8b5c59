"""Reads the rows of tables that `experiments.tables.from_runs` wrote."""

import csv
import functools
import math
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from experiments.catalogue.tasks import NEEDS
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


def without_settings(experiment: Experiment, command: str) -> tuple[str, ...]:
    """The words of `train` that plan a run's experiment before settings change it.

    They are the experiment's name, or the one in the command where that is another,
    such as `mdqn/gymnasium` of `mdqn/my_module-corridor`; and the modules of agents.

    Args:
        experiment: of the run.
        command: recorded, of `train` or `sweep`.

    Raises:
        OverrideError: today's program does not know the experiment.
    """
    plugins, names = list[str](), [experiment.name]
    words = iter(shlex.split(re.split(r" (?:train|sweep) ", command)[-1]))
    for word in words:
        if word.partition("=")[0] == "--plugin":
            plugins += [word] if "=" in word else [word, next(words, "")]
        elif "/" in word and not word.startswith("-"):
            names.append(word)
    refused = OverrideError(
        f"a recorded command must name one experiment, got {command!r}: read the run "
        "with the version that began it"
    )
    for name in names[:2]:
        line = [name, *plugins]
        path, _, _ = NEEDS.get(name.rpartition("/")[2], ("", "", {}))
        if path:
            value = getattr(experiment.environment, path.rpartition(".")[2])
            line.append(f"--{path}={value}")
        try:
            if len(train_arguments.plan(line).experiments) == 1:
                return (*line,)
        except OverrideError as error:
            refused = error
    raise refused


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
