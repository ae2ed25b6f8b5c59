"""Draws the ratios of a table from `munchausen bench`, and prints them as Markdown.

python -m experiments.tables.speed speed.csv speed.png

A bar reaches from 1 to the mean of a figure's turns over that of its limit, its whisker
from the lowest to the highest ratio of a turn. Left out are figures that are no rates,
such as bytes, or were measured only once.
"""

import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from experiments import output_files
from experiments.benchmarks import others_cpu
from experiments.reporting import plots
from experiments.reporting.style import INK, PALETTE
from launch import output
from launch.errors import RunDirectoryError

_NEEDED = {"figure", "value", "unit", "limit", "ratio", "lowest", "highest", "others"}
_ROW, _EDGES = 0.3, 0.8  # inches
_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20)

Row = Mapping[str, str]


def read(table: Path) -> list[dict[str, str]]:
    """The rows of the rates that were measured in turns.

    Raises:
        ValueError: it is not a table from `munchausen bench`, or has no such rate.
    """
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows or not _NEEDED <= rows[0].keys():
        raise ValueError(f"{table} must be a table from munchausen bench --output")
    measured = [row for row in rows if row["lowest"] and row["unit"].endswith("/s")]
    if not measured:
        raise ValueError(f"{table} must have rates that were measured in turns")
    return measured


def markdown(rows: Sequence[Row]) -> list[str]:
    """A table for a page, with the circumstances below it.

    Args:
        rows: from `read`.
    """
    lines = [
        "| figure | steps/s | limit | ratio | of turns |",
        "| --- |" + " --- |" * 4,
    ]
    for row in rows:
        numbers = (_rate(float(row[name])) for name in ("value", "limit"))
        spread = f"{float(row['lowest']):.2f}-{float(row['highest']):.2f}"
        cells = (_title(row), *numbers, f"{float(row['ratio']):.2f}", spread)
        lines.append(f"| {' | '.join(cells)} |")
    measured = {(row["machine"], row["started"][:10]) for row in rows}
    where = "; ".join(f"{machine}, {date}" for machine, date in sorted(measured))
    return [*lines, "", f"Measured on {where}."]


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def picture(rows: Sequence[Row], format_: str) -> bytes:
    """The bytes of a picture of the ratios.

    Args:
        rows: from `read`.
        format_: `png` or `svg`.
    """
    size = (plots.WIDE[0], _EDGES + _ROW * len(rows))
    with matplotlib.rc_context({**plots.STYLE, "svg.fonttype": "path"}):
        figure = Figure(figsize=size, layout="constrained", facecolor="white")
        draw(figure.subplots(), rows)
        return plots.save(figure, format_, dpi=160)


def draw(axes: Axes, rows: Sequence[Row]) -> None:
    """Draws a bar from 1 with a whisker for each row, from the top."""
    ratio, lowest, highest = (
        np.array([float(row[name]) for row in rows])
        for name in ("ratio", "lowest", "highest")
    )
    # The ratio of the means may lie outside a spread that is tiny.
    whiskers = np.maximum([ratio - lowest, highest - ratio], 0.0)
    places = range(len(rows))
    axes.barh(places, ratio - 1, left=1, xerr=whiskers, color=PALETTE[0], ecolor=INK)
    axes.axvline(1, color=INK, linewidth=0.8)
    axes.set_xscale("log")
    left, right = lowest.min() / 1.1, max(highest.max(), 1) * 1.1
    ticks = [tick for tick in _TICKS if left <= tick <= right]
    axes.set_xlim(left, right)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_yticks(places, [_title(row) for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel("figure / limit")
    axes.grid(False, axis="y")


def _title(row: Row) -> str:
    """The figure's name, marked if others used the machine meanwhile."""
    busy = float(row["others"] or 0.0) > others_cpu.MOST
    return f"{row['figure']}{' (busy machine)' if busy else ''}"


def main(arguments: Sequence[str]) -> int:
    """Draws the table into the picture, and prints it; returns the exit code."""
    if len(arguments) != 2 or Path(arguments[1]).suffix.lower() not in (".png", ".svg"):
        usage = "usage: python -m experiments.tables.speed TABLE.csv PICTURE.png|svg"
        print(usage, file=sys.stderr)
        return 2
    table, drawn = map(Path, arguments)
    try:
        output_files.check_writable(drawn)
        rows = read(table)
        with output_files.draft(drawn) as draft:
            draft.write_bytes(picture(rows, drawn.suffix[1:].lower()))
    except (OSError, RunDirectoryError, ValueError, csv.Error) as error:
        print(f"speed: {error}", file=sys.stderr)
        return 2
    print("\n".join(markdown(rows)))
    return 0


if __name__ == "__main__":
    output.guard()
    sys.exit(main(sys.argv[1:]))
