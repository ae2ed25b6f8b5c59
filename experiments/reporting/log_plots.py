"""Draws lines, as a rule on logarithmic axes, each labelled at its end.

This module imports matplotlib, so import it inside functions only.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.catalogue.computation import Row
from experiments.reporting.style import DASHES, INK, PALETTE
from experiments.reporting.style import LINE as GRID

_STYLE = {
    "font.size": 9.0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GRID,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.parse_math": True,
}
_SIZE = (4.2, 3.6)  # inches, of one panel
_LEAST = 1e-12  # that a logarithmic axis draws
_GAP = 0.058  # between two labels, as a fraction of the axes' height


class Line(NamedTuple):
    """One curve.

    Attributes:
        label: text at the curve's end.
        x: `[K]`, increasing.
        y: `[K]` means.
        error: `[K]` standard errors.
    """

    label: str
    x: np.ndarray
    y: np.ndarray
    error: np.ndarray


def line(label: str, rows: Sequence[Row], *, x: str, y: str) -> Line:
    """Makes a curve from two columns of some rows.

    Args:
        label: the curve's label.
        rows: in the order of x; with a column `standard_error` of y.
        x: name of the column on the x axis.
        y: name of the column on the y axis.

    Raises:
        ValueError: there are no rows.
    """
    if not rows:
        raise ValueError(f"no rows of {label}")
    columns = [[float(row[name]) for row in rows] for name in (x, y, "standard_error")]
    return Line(label, *(np.array(column) for column in columns))


def panels(
    rows: Iterable[Row], place: Callable[[Row], tuple[str, str]], *, x: str, y: str
) -> dict[str, list[Line]]:
    """Makes the curves of a table, in the order of their first rows.

    Args:
        rows: in the order of x within each curve; see `line`.
        place: the title of a row's panel, and the label of its curve.
        x: name of the column on the x axis.
        y: name of the column on the y axis.

    Returns:
        Curves by title, as `save` takes them.
    """
    gathered: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        gathered.setdefault(place(row), []).append(row)
    found: dict[str, list[Line]] = {}
    for (title, label), same in gathered.items():
        found.setdefault(title, []).append(line(label, same, x=x, y=y))
    return found


def save_policy_errors(path: Path, panels: Mapping[str, Sequence[Line]]) -> None:
    """Writes a figure of normalised errors of policies over iterations, by `save`."""
    save(
        path,
        panels,
        x_label="iteration",
        y_label="normalised error of the policy",
        lowest=1e-4,
    )


def save(
    path: Path,
    panels: Mapping[str, Sequence[Line]],
    *,
    x_label: str,
    y_label: str,
    lowest: float,
    logarithmic_x: bool = True,
    logarithmic_y: bool = True,
) -> None:
    """Writes a figure of panels side by side, which share one y axis.

    Args:
        path: the picture file; its suffix is the format.
        panels: lines by title.
        x_label: label of every panel's x axis.
        y_label: label of the shared y axis.
        lowest: lower end of the y axis; smaller values are not shown.
        logarithmic_x: whether the x axis is logarithmic.
        logarithmic_y: whether the y axis is logarithmic.
    """
    with matplotlib.rc_context(_STYLE):
        size = (_SIZE[0] * len(panels), _SIZE[1])
        figure = Figure(figsize=size, layout="constrained")
        all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (title, lines) in zip(all_axes, panels.items(), strict=True):
            axes.set_title(title, loc="left", fontsize=9.5)
            axes.set_xlabel(x_label)
            if logarithmic_y:
                axes.set_yscale("log")
            if logarithmic_x:
                axes.set_xscale("log")
            for rank, one in enumerate(lines):
                _plot(axes, one, rank)
        highest = max(float(one.y.max()) for lines in panels.values() for one in lines)
        all_axes[0].set_ylim(lowest, (1.4 if logarithmic_y else 1.05) * highest)
        all_axes[0].set_ylabel(y_label)
        for axes, lines in zip(all_axes, panels.values(), strict=True):
            _name(axes, lines)
        figure.savefig(path, dpi=150)


def _plot(axes: Axes, one: Line, rank: int) -> None:
    colour = PALETTE[rank % len(PALETTE)]
    low = one.y - 2 * one.error
    if axes.get_yscale() == "log":
        low = np.maximum(low, _LEAST)
    axes.fill_between(one.x, low, one.y + 2 * one.error, color=colour, alpha=0.15, lw=0)
    drawn = axes.plot(one.x, one.y, color=colour, linewidth=1.5)[0]
    dashes = DASHES[rank % len(DASHES)]
    if dashes:
        drawn.set_dashes(dashes)


def _name(axes: Axes, lines: Sequence[Line]) -> None:
    """Writes each label next to its line's end, moved where labels would overlap."""
    scale = math.log if axes.get_yscale() == "log" else float
    low, high = map(scale, axes.get_ylim())
    heights = {}
    for rank, one in enumerate(lines):
        end = scale(float(np.clip(one.y[-1], *axes.get_ylim())))
        heights[rank] = (end - low) / (high - low)
    ranks = sorted(heights, key=lambda rank: heights[rank])
    for below, above in itertools.pairwise(ranks):
        heights[above] = max(heights[above], heights[below] + _GAP)
    heights[ranks[-1]] = min(heights[ranks[-1]], 1.0)  # then down again from the top
    for above, below in itertools.pairwise(reversed(ranks)):
        heights[below] = min(heights[below], heights[above] - _GAP)
    for rank in ranks:
        axes.annotate(
            lines[rank].label,
            (1.02, heights[rank]),
            xycoords="axes fraction",
            va="center",
            fontsize=8.5,
            color=PALETTE[rank % len(PALETTE)],
        )
