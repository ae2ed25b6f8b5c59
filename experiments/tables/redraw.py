"""Draws the evaluation curves of tables in `experiments/results/`, without their runs.

python -m experiments.tables.redraw asterix.csv space_invaders.csv minatar.png
"""

import csv
import functools
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments import output_files
from experiments.flags import OverrideError
from experiments.names import EXPERIMENTS
from experiments.reporting import plots, setting_differences, statistics
from experiments.reporting.statistics import Curve
from experiments.verbs import train_arguments
from launch.errors import RunDirectoryError
from launch.experiment import Experiment
from launch.runs import serialization

_NEEDED = {"experiment", "seed", "grid", "mean_return", "command"}


class Line(NamedTuple):
    """The panel and line of a picture to which a row belongs.

    Attributes:
        environment: title of the panel.
        axis: label of the panel's x axis.
        label: the agent, and its settings that differ from the experiment's.
    """

    environment: str
    axis: str
    label: str


def panels(tables: Iterable[Path]) -> dict[tuple[str, str], dict[str, Curve]]:
    """Reads the curves of some tables, in the form that `plots.picture` takes.

    Raises:
        ValueError: a file is not a table of evaluations, today's program does not
            accept a row's command, or two runs have the same label and seed.
    """
    runs: dict[Line, dict[int, dict[int, float]]] = {}
    for path in tables:
        for row in _rows(path):
            own = line(row["experiment"], row["command"])
            run = runs.setdefault(own, {}).setdefault(int(row["seed"]), {})
            grid = int(row["grid"])
            if grid in run:
                raise ValueError(f"{path}: {row['command']!r} is at {grid} steps twice")
            run[grid] = float(row["mean_return"])
    found: dict[tuple[str, str], dict[str, Curve]] = {}
    for own, seeds in runs.items():
        panel = found.setdefault((own.environment, own.axis), {})
        panel[own.label] = statistics.aggregate(map(_series, seeds.values()))
    return found


@functools.cache
def line(name: str, command: str) -> Line:
    """Finds the panel and line to which the rows of a run belong.

    Args:
        name: name of the run's experiment.
        command: the recorded command; XLA's flags may precede it.

    Raises:
        ValueError: today's program does not run that experiment with this command.
    """
    experiment = _planned(name, command)
    plain = serialization.to_plain(experiment)
    usual = setting_differences.flat(serialization.to_plain(EXPERIMENTS[name]))
    changed = [
        f"{path.rpartition('.')[2]} {value}"
        for path, value in setting_differences.flat(plain).items()
        if path.startswith("agent.") and usual.get(path) != value
    ]
    axis = "learner steps" if experiment.dataset else "actor steps"
    label = ", ".join([experiment.agent_name, *changed])
    return Line(setting_differences.title(plain), axis, label)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows or not _NEEDED <= rows[0].keys():
        raise ValueError(
            f"{path} must be a table of evaluations from experiments.tables.from_runs"
        )
    return rows


def _series(run: Mapping[int, float]) -> tuple[np.ndarray, np.ndarray]:
    grid = sorted(run)
    return np.array(grid, float), np.array([run[point] for point in grid])


def _planned(name: str, command: str) -> Experiment:
    _, _, arguments = command.partition(" train ")
    try:
        experiments = train_arguments.plan(shlex.split(arguments)).experiments
    except OverrideError as error:
        raise ValueError(f"{command!r} does not run any more: {error}") from error
    found = [each for each in experiments if each.name == name]
    if not found:
        raise ValueError(f"{command!r} does not run {name}")
    return found[0]


def main(arguments: Sequence[str]) -> int:
    """Draws all tables named on the command line into one picture."""
    *tables, picture = map(Path, arguments or ["."])
    if not tables or picture.suffix.lower() not in (".png", ".svg"):
        usage = (
            "usage: python -m experiments.tables.redraw TABLE.csv... PICTURE.png|svg"
        )
        print(usage, file=sys.stderr)
        return 2
    try:
        output_files.check_writable(picture)
        found = panels(tables)
        looks = plots.looks([label for lines in found.values() for label in lines])
        with output_files.draft(picture) as draft:
            draft.write_bytes(plots.picture(found, looks, picture.suffix[1:].lower()))
    except (OSError, RunDirectoryError, ValueError) as error:
        print(f"redraw: {error}", file=sys.stderr)
        return 2
    print(picture)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
