"""Draws the results of a sweep: a curve, a heat map, or a panel for each field.

This module imports matplotlib, so import it inside functions only.
"""

import itertools
import math
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from experiments.reporting import formats, plots
from experiments.reporting.style import INK, LINE, PALETTE

_CELL = (0.78, 0.42)  # inches of a heat map's cell
_LARGEST = (22.0, 22.0)  # inches of all cells
_SMALLEST = (2.4, 1.4)
_MOST_WRITTEN = 30  # cells in a row or column, up to which values are written in
_MOST_LABELS = 30  # of an axis
_COLOURS = "viridis"
_BEST = PALETTE[1]


class Point(NamedTuple):
    """One cell of a sweep.

    Attributes:
        values: of the fields.
        shown: the same as text.
        mean: of the returns; None if there is none.
        low: lowest return of a seed.
        high: highest return of a seed.
        note: such as `2 of 3` if seeds are missing, else empty.
        best: whether it is marked as the best.
    """

    values: tuple[Any, ...]
    shown: tuple[str, ...]
    mean: float | None
    low: float | None
    high: float | None
    note: str
    best: bool


def grid(names: Sequence[str], points: Sequence[Point], title: str) -> bytes:
    """Returns a PNG of every combination of values: a curve, or a heat map.

    A heat map of more than two fields shows, for the values of the first two, the
    highest mean over the values of the others.

    Args:
        names: of the fields.
        points: the cells.
        title: what the numbers are.
    """
    if len(names) == 1:
        return _picture(
            (6.4, 3.6),
            f"{title}; band: lowest to highest seed",
            _curve(names[0], points),
        )
    # Values of the first field run upwards, of the second to the right.
    rows, columns = _axis(points, 0), _axis(points, 1)
    shown = _over_others(points)
    title += "; the best is framed"
    if len(names) > 2:
        title += f"; each cell: the highest mean over {', '.join(names[2:])}"
    size = tuple(
        min(max(count * cell, least), most)
        for count, cell, least, most in zip(
            (len(columns), len(rows)), _CELL, _SMALLEST, _LARGEST, strict=True
        )
    )

    def draw(axes: Axes) -> None:
        _heat_map(axes, rows, columns, shown)
        axes.set_ylabel(names[0])
        axes.set_xlabel(names[1])

    return _picture((size[0] + 1.8, size[1] + 1.3), title, draw)


def slices(
    names: Sequence[str],
    points: Sequence[Point],
    title: str,
    logarithmic: Sequence[bool],
) -> bytes:
    """Returns a PNG with a panel for each field: the mean of each cell by its value.

    Args:
        names: of the fields.
        points: the cells.
        title: what the numbers are.
        logarithmic: whether the axis of each field is.
    """
    columns = min(len(names), 3)
    rows = math.ceil(len(names) / columns)

    def panel(place: int) -> Callable[[Axes], None]:
        def draw(axes: Axes) -> None:
            _scatter(axes, points, place, logarithmic=logarithmic[place])
            axes.set_xlabel(names[place])
            axes.set_ylabel("return")

        return draw

    panels = [panel(place) for place in range(len(names))]
    size = (max(3.6 * columns, 6.4), 3.0 * rows + 0.4)
    return _picture(size, f"{title}; one point a cell, the best in colour", *panels)


def _picture(
    size: tuple[float, float], title: str, *panels: Callable[[Axes], None]
) -> bytes:
    """A PNG of panels side by side, at most three in a row."""
    columns = min(len(panels), 3)
    rows = math.ceil(len(panels) / columns)
    with matplotlib.rc_context(plots.STYLE):
        figure = Figure(figsize=size, layout="constrained", facecolor="white")
        all_axes = figure.subplots(rows, columns, squeeze=False)
        for axes in all_axes.flat[len(panels) :]:
            axes.set_axis_off()
        for axes, draw in zip(all_axes.flat, panels, strict=False):
            draw(axes)
        letters = int(size[0] * plots.LETTERS)
        figure.suptitle(textwrap.fill(title, letters), x=0.01, ha="left", fontsize=8.0)
        return plots.save(figure, "png", dpi=160)


def _axis(points: Sequence[Point], place: int) -> dict[Any, str]:
    """The values of a field, each with its text: numbers sorted, others as given."""
    found = {point.values[place]: point.shown[place] for point in points}
    if all(map(_is_number, found)):
        return dict(sorted(found.items()))
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _over_others(points: Sequence[Point]) -> dict[Any, Point]:
    """The point with the highest mean for each pair of the first two values."""
    found: dict[Any, list[Point]] = {}
    for point in points:
        found.setdefault(point.values[:2], []).append(point)
    shown = {}
    for pair, members in found.items():
        highest = max(members, key=_rank)
        lacking = any(each.note for each in members)
        note = highest.note or ("some missing" if lacking else "")
        shown[pair] = highest._replace(note=note)
    return shown


def _rank(point: Point) -> tuple[bool, float]:
    mean = point.mean if point.mean is not None else -math.inf
    return point.best, mean if math.isfinite(mean) else -math.inf


def _heat_map(
    axes: Axes,
    rows: dict[Any, str],
    columns: dict[Any, str],
    shown: dict[Any, Point],
) -> None:
    """Draws the mean of each pair of values, the best one framed."""
    means = np.array(
        [
            [shown[pair].mean for pair in itertools.product([row], columns)]
            for row in rows
        ],
        float,
    )
    axes.grid(visible=False)
    axes.set_frame_on(False)
    image = axes.imshow(means, cmap=_colours(), origin="lower", aspect="auto")
    bar = axes.figure.colorbar(image, ax=axes, label="return", pad=0.02)
    bar.outline.set_visible(False)  # type: ignore[operator]  # matplotlib's own stub
    _label(axes.set_xticks, columns.values())
    _label(axes.set_yticks, rows.values())
    written = max(len(rows), len(columns)) <= _MOST_WRITTEN
    for (y, row), (x, column) in itertools.product(enumerate(rows), enumerate(columns)):
        point = shown[row, column]
        if point.best:
            axes.add_patch(_frame(x, y))
        if written:
            colour = _readable(image.cmap(image.norm(means[y, x])))
            text = "none" if point.mean is None else formats.number(point.mean)
            lines = f"{text}\n{point.note}".rstrip()
            axes.text(x, y, lines, ha="center", va="center", size=7.5, color=colour)


def _colours() -> Colormap:
    """A colour map in which cells without a return are grey."""
    return matplotlib.colormaps[_COLOURS].with_extremes(bad=LINE)


def _frame(x: float, y: float) -> Rectangle:
    corner = (x - 0.5, y - 0.5)
    return Rectangle(
        corner, 1, 1, fill=False, ec=_BEST, lw=2.5, zorder=3, clip_on=False
    )


def _readable(colour: Sequence[float]) -> str:
    """White on dark colours, the dark ink on light ones."""
    red, green, blue = colour[:3]
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.55 else INK


def _label(set_ticks: Callable[..., Any], texts: Iterable[str]) -> None:
    """Labels the values of an axis; only some if there are many."""
    labels = list(texts)
    every = math.ceil(len(labels) / _MOST_LABELS)
    set_ticks(range(0, len(labels), every), labels[::every])


def _curve(name: str, points: Sequence[Point]) -> Callable[[Axes], None]:
    """Means over the values of one field, at equal distances."""
    values = _axis(points, 0)
    by_value = {point.values[0]: point for point in points}
    ordered = [by_value[value] for value in values]

    def draw(axes: Axes) -> None:
        numbers = [(point.mean, point.low, point.high) for point in ordered]
        mean, low, high = np.array(numbers, float).T  # NaN where there is no return
        x = np.arange(len(ordered))
        axes.fill_between(x, low, high, color=PALETTE[0], alpha=0.18, lw=0)
        axes.vlines(x, low, high, color=PALETTE[0], alpha=0.4, lw=1)
        axes.plot(x, mean, color=PALETTE[0], marker="o", markersize=4)
        for place, point in enumerate(ordered):
            if point.best:
                axes.plot(place, mean[place], "o", color=_BEST, markersize=7)
            if point.note:
                middle = (place, 0.02)
                axes.annotate(
                    point.note, middle, None, ("data", "axes fraction"), ha="center"
                )
        _label(axes.set_xticks, values.values())
        axes.set_xlabel(name)
        axes.set_ylabel("return")

    return draw


def _scatter(
    axes: Axes, points: Sequence[Point], place: int, *, logarithmic: bool
) -> None:
    values = _axis(points, place)
    numbers = all(map(_is_number, values))
    if not numbers:
        _label(axes.set_xticks, values.values())
    elif logarithmic:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    order = list(values)
    for point in points:
        if point.mean is not None:
            value = point.values[place]
            x = value if numbers else order.index(value)
            colour, size = (_BEST, 7) if point.best else (PALETTE[0], 4)
            axes.plot(x, point.mean, "o", color=colour, markersize=size)
