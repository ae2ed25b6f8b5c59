"""Draws a column of a table from `from_runs`: a line for each variant of a figure.

python -m experiments.tables.variants gkd_sizes.csv gkd_sizes.png mean_return

The part of a variant's name after its last hyphen, such as the size of a network, is
the panel. A line is the mean over seeds, its band reaches from the lowest to the
highest seed.
"""

import csv
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from experiments import output_files
from experiments.names import FIGURES
from experiments.reporting import plots, statistics
from experiments.reporting.statistics import Curve
from launch import output
from launch.errors import RunDirectoryError

# Curves by label, for each panel's title and label of the x axis.
Panels = dict[tuple[str, str], dict[str, Curve]]


def read(table: Path) -> list[dict[str, str]]:
    """The rows of a table.

    Raises:
        ValueError: it is not a table from `from_runs`.
    """
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"experiment", "seed", "learner_steps"} <= rows[0].keys():
        raise ValueError(
            f"{table} must be a table of evaluations from experiments.tables.from_runs"
        )
    return rows


def series(
    rows: Sequence[Mapping[str, str]], column: str
) -> dict[str, dict[int, dict[int, float]]]:
    """Finite values of a column by learner steps, by seed, by experiment.

    Raises:
        ValueError: the table has no value in that column.
    """
    found: dict[str, dict[int, dict[int, float]]] = {}
    for row in rows:
        value = float(row.get(column) or "nan")
        if math.isfinite(value):
            seeds = found.setdefault(row["experiment"], {})
            run = seeds.setdefault(int(row["seed"]), {})
            run[int(row["learner_steps"])] = value
    if not found:
        raise ValueError(f"the table must have numbers in its column {column}")
    return found


def panels(rows: Sequence[Mapping[str, str]], column: str) -> Panels:
    """The panels of a column: one for each group of variants.

    Raises:
        ValueError: the column has no value.
    """
    found: Panels = {}
    for name, seeds in series(rows, column).items():
        figure, label = split(name)
        line, _, group = label.rpartition("-")
        title = f"{figure}  {group}" if line else figure
        runs = [
            (np.array(sorted(run), float), np.array([run[x] for x in sorted(run)]))
            for run in seeds.values()
        ]
        curves = found.setdefault((title, "learner steps"), {})
        curves[line or label] = statistics.aggregate(runs)
    return found


def split(name: str) -> tuple[str, str]:
    """The figure of a variant's name, and the rest; the whole name if there is none."""
    for figure in FIGURES:
        if name.startswith(f"{figure}_"):
            return figure, name.removeprefix(f"{figure}_")
    return name, name


def main(arguments: Sequence[str]) -> int:
    """Draws the named column of a table, by default its mean returns."""
    formats = (".png", ".svg")
    if len(arguments) not in (2, 3) or Path(arguments[1]).suffix not in formats:
        print(
            "usage: python -m experiments.tables.variants TABLE.csv PICTURE.png|svg "
            "[COLUMN]",
            file=sys.stderr,
        )
        return 2
    table, picture = map(Path, arguments[:2])
    [column] = arguments[2:] or ["mean_return"]
    try:
        output_files.check_writable(picture)
        drawn = panels(read(table), column)
        looks = plots.looks([label for lines in drawn.values() for label in lines])
        with output_files.draft(picture) as draft:
            shown = column.replace("_", " ")
            draft.write_bytes(plots.picture(drawn, looks, picture.suffix[1:], shown))
    except (OSError, RunDirectoryError, ValueError, csv.Error) as error:
        print(f"variants: {error}", file=sys.stderr)
        return 2
    print(picture)
    return 0


if __name__ == "__main__":
    output.guard()
    sys.exit(main(sys.argv[1:]))
