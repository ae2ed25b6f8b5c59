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
    """Where a row belongs.

    Attributes:
        environment: the title of its panel.
        axis: whose steps the panel is drawn over.
        label: the agent, and in what it departs from the experiment's settings.
    """

    environment: str
    axis: str
    label: str


def panels(tables: Iterable[Path]) -> dict[tuple[str, str], dict[str, Curve]]:
    """The curves of some tables, as `plots.picture` takes them.

    Raises:
        ValueError: a file is no table of evaluations, a row's command is unknown, or
            commands do not tell two runs apart.
    """
    runs: dict[Line, dict[int, dict[int, float]]] = {}
    for path in tables:
        for row in _rows(path):
            own = line(row["experiment"], row["command"])
            run = runs.setdefault(own, {}).setdefault(int(row["seed"]), {})
            grid = int(row["grid"])
            if grid in run:
                raise ValueError(f"{path}: {row['command']!r} has {grid} steps twice")
            run[grid] = float(row["mean_return"])
    found: dict[tuple[str, str], dict[str, Curve]] = {}
    for own, seeds in runs.items():
        panel = found.setdefault((own.environment, own.axis), {})
        panel[own.label] = statistics.aggregate(map(_series, seeds.values()))
    return found


@functools.cache
def line(name: str, command: str) -> Line:
    """Where the rows of a run belong.

    Args:
        name: of its experiment.
        command: as recorded; XLA's flags may stand before it.

    Raises:
        ValueError: the command does not run that experiment with today's program.
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
            f"{path} is no table of evaluations: see experiments.tables.from_runs"
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
        raise ValueError(f"{command!r} cannot be run today: {error}") from error
    found = [each for each in experiments if each.name == name]
    if not found:
        raise ValueError(f"{command!r} does not run {name}")
    return found[0]


def main(arguments: Sequence[str]) -> int:
    """Writes the picture of all tables named."""
    *tables, picture = map(Path, arguments or ["."])
    if not tables or picture.suffix not in (".png", ".svg"):
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
            draft.write_bytes(plots.picture(found, looks, picture.suffix[1:]))
    except (OSError, RunDirectoryError, ValueError) as error:
        print(f"redraw: {error}", file=sys.stderr)
        return 2
    print(picture)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
