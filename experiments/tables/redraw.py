"""Draws the tables in `experiments/results/`, without their runs.

Tables of evaluations become curves; those of a computed figure become its picture, also
where several commands computed parts of it.

python -m experiments.tables.redraw asterix.csv space_invaders.csv minatar.png
"""

import csv
import functools
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments import output_files
from experiments.catalogue.computation import Computation, Row, value
from experiments.names import COMPUTATIONS
from experiments.reporting import (
    captions,
    plots,
    setting_differences,
    statistics,
)
from experiments.reporting.statistics import Curve
from experiments.tables import rows
from experiments.verbs import train_arguments
from launch import output
from launch.errors import RunDirectoryError
from launch.runs import serialization


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


# Mean return by step, by seed, by line.
_Runs = dict[Line, dict[int, dict[int, float]]]


class Picture(NamedTuple):
    """What is drawn of some tables.

    Attributes:
        panels: curves by label, in the form that `plots.picture` takes.
        notes: sentences about seeds of unequal length, and about rows left out.
    """

    panels: dict[tuple[str, str], dict[str, Curve]]
    notes: list[str]


def read(tables: Iterable[Path]) -> Picture:
    """Reads the curves of some tables.

    Raises:
        ValueError: a file is not a table of evaluations, today's program does not
            accept a row's command, or two runs have the same label and seed.
    """
    runs: _Runs = {}
    notes: list[str] = []
    for path in tables:
        table = rows.points(path)
        notes += table.notes
        for row, (seed, grid, mean_return) in table.found:
            own = line(row["experiment"], row["command"])
            run = runs.setdefault(own, {}).setdefault(seed, {})
            if grid in run:
                raise ValueError(f"{path}: {row['command']!r} is at {grid} steps twice")
            run[grid] = mean_return
    if not runs:
        raise ValueError("; ".join(notes) or "no table was named")
    return _picture(runs, notes)


def _picture(runs: _Runs, notes: list[str]) -> Picture:
    found = Picture({}, notes)
    for own, seeds in runs.items():
        panel = found.panels.setdefault((own.environment, own.axis), {})
        panel[own.label] = statistics.aggregate(map(_series, seeds.values()))
        spans = {seed: (min(run), max(run)) for seed, run in seeds.items()}
        last = max(end for _, end in spans.values())
        if uneven := captions.uneven(spans, last):
            notes.append(f"{own.label} on {own.environment}: {uneven}")
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
    experiment = rows.planned(name, command)
    plain = serialization.to_plain(experiment)
    base = rows.without_settings(experiment, command)
    [default] = train_arguments.plan(base).experiments
    usual = setting_differences.flat(serialization.to_plain(default))
    changed = [
        f"{path.rpartition('.')[2]} {value}"
        for path, value in setting_differences.flat(plain).items()
        if path.startswith("agent.") and usual.get(path) != value
    ]
    axis = "learner steps" if experiment.dataset else "actor steps"
    label = ", ".join([experiment.agent_name, *changed])
    return Line(setting_differences.title(plain), axis, label)


def computed(tables: Iterable[Path]) -> tuple[Computation, list[Row]] | None:
    """The computed figure of tables, with all rows; None if they are not all of one."""
    every = [row for path in tables for row in rows.read(path)]
    named = {
        next((word for word in command.split() if word in COMPUTATIONS), "")
        for command in {row.get("command") or "" for row in every}
    }
    if len(named) != 1 or "" in named:
        return None
    values = [{name: value(text) for name, text in row.items()} for row in every]
    return COMPUTATIONS[named.pop()], values


def _series(run: Mapping[int, float]) -> tuple[np.ndarray, np.ndarray]:
    grid = sorted(run)
    return np.array(grid, float), np.array([run[point] for point in grid])


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
        figure = computed(tables)
        if figure is not None:
            made, computed_rows = figure
            with output_files.draft(picture) as draft:
                made.draw(computed_rows, draft)
            print(picture)
            return 0
        found = read(tables)
        drawn = found.panels
        looks = plots.looks([label for lines in drawn.values() for label in lines])
        with output_files.draft(picture) as draft:
            draft.write_bytes(plots.picture(drawn, looks, picture.suffix[1:].lower()))
    except (OSError, RunDirectoryError, ValueError, csv.Error) as error:
        print(f"redraw: {error}", file=sys.stderr)
        return 2
    for note in found.notes:
        print(f"redraw: {note}", file=sys.stderr)
    print(picture)
    return 0


if __name__ == "__main__":
    output.guard()
    sys.exit(main(sys.argv[1:]))
