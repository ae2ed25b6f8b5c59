"""Draws figures: SVG inlined in a page, with the page's colours, and picture files."""

import functools
import io
import re
import textwrap
import warnings
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from experiments.reporting.statistics import Curve
from experiments.reporting.style import (
    DASHES,
    INK,
    LINE,
    PALETTE,
)

WIDE, NARROW, HALF = (8.4, 3.3), (4.1, 3.0), (4.3, 2.8)  # inches
_TICKS = (1, 2, 2.5, 5, 10)
_APART = (3, 2)  # dashes of single runs
_TITLE = {"fontsize": 8.0, "loc": "left"}
LETTERS = 11  # letters of a title that fit in an inch

STYLE = {
    "svg.hashsalt": "munchausen",
    "svg.fonttype": "none",
    "font.size": 9.0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 0.0,
    "ytick.major.size": 0.0,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "text.parse_math": False,
}


class Look(NamedTuple):
    """How one agent is drawn in all figures of a page.

    Attributes:
        hue: index of its colour in the palette.
        dashes: lengths on and off, in points; empty for a solid line.
    """

    hue: int
    dashes: tuple[int, ...]

    @property
    def colour(self) -> str:
        """The colour in matplotlib's format."""
        return PALETTE[self.hue]

    @property
    def dasharray(self) -> str:
        """The dashes in SVG's format; the page's template reads it."""
        return " ".join(str(2 * length) for length in self.dashes)


class Drawing(NamedTuple):
    """A figure as inlined SVG, in one or two widths.

    Attributes:
        wide: SVG for a laptop.
        narrow: SVG for a phone; empty if `wide` serves for both.
    """

    wide: str
    narrow: str = ""


def looks(labels: Sequence[str]) -> dict[str, Look]:
    """Assigns a look to each distinct label, in order of appearance."""
    found = {}
    for rank, label in enumerate(dict.fromkeys(labels)):
        dashes = DASHES[rank // len(PALETTE) % len(DASHES)]
        found[label] = Look(rank % len(PALETTE), dashes)
    return found


def steps_label(value: float, _: object = None) -> str:
    """Formats a number of steps for an axis: 250k, 1.5M."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{value / unit:g}{name}"
    return f"{value:g}"


def curves(
    name: str,
    lines: Mapping[str, Curve],
    looks_: Mapping[str, Look],
    y_label: str,
    x_label: str,
    marks: Mapping[str, Sequence[float]] = MappingProxyType({}),
) -> Drawing:
    """Draws the mean and band of each agent over the steps of a run.

    Args:
        name: prefix of the SVG's identifiers; unique on the page.
        lines: curves by label.
        looks_: looks by label.
        y_label: label of the y axis, with its unit if it has one.
        x_label: label of the x axis, such as `actor steps`.
        marks: steps by label, each marked by a triangle on the x axis.
    """

    def draw(axes: Axes) -> None:
        _draw_curves(axes, lines, looks_)
        for label, steps in marks.items():
            drawn = axes.plot(
                steps,
                [0.0] * len(steps),
                color=looks_[label].colour,
                marker="^",
                markersize=5,
                linestyle="",
                transform=axes.get_xaxis_transform(),
                clip_on=False,
            )
            drawn[0].set_in_layout(False)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)

    return both(name, draw)


def rates(
    name: str,
    lines: Sequence[tuple[Look, np.ndarray, np.ndarray]],
    y_label: str,
) -> Drawing:
    """Draws one line for each run over wall time.

    Args:
        name: prefix of the SVG's identifiers; unique on the page.
        lines: look, seconds since the start, and steps per second of each run.
        y_label: label of the y axis, such as `learner steps per second`.
    """
    longest = max(float(seconds[-1]) for _, seconds, _ in lines)
    unit, word = next(
        (unit, word)
        for unit, word in ((3600, "hours"), (60, "minutes"), (1, "seconds"))
        if longest >= 2 * unit or unit == 1
    )

    def draw(axes: Axes) -> None:
        for look, seconds, rate in lines:
            line = axes.plot(
                seconds / unit, rate, color=look.colour, linewidth=1.1, alpha=0.8
            )
            _dash(line[0], look)
        axes.set_ylim(bottom=0)
        axes.set_xlim(left=0)
        axes.set_xlabel(f"wall time, {word}")
        axes.set_ylabel(y_label)
        axes.yaxis.set_major_formatter(FuncFormatter(steps_label))

    return Drawing(svg(name, HALF, draw))


def profiles(
    name: str,
    thresholds: np.ndarray,
    lines: Mapping[str, Curve],
    looks_: Mapping[str, Look],
    x_label: str = "evaluation return",
) -> Drawing:
    """Draws performance profiles: the share of runs above each return.

    Args:
        name: prefix of the SVG's identifiers; unique on the page.
        thresholds: `[X]` returns.
        lines: shares with their intervals, by label.
        looks_: looks by label.
        x_label: what the thresholds are.
    """
    return both(
        name, lambda axes: draw_profiles(axes, thresholds, lines, looks_, x_label)
    )


def draw_profiles(
    axes: Axes,
    thresholds: np.ndarray,
    lines: Mapping[str, Curve],
    looks_: Mapping[str, Look],
    x_label: str,
) -> None:
    """Draws what `profiles` does into a panel."""
    for label, curve in lines.items():
        colour = looks_[label].colour
        axes.fill_between(
            thresholds, curve.low, curve.high, color=colour, alpha=0.15, lw=0
        )
        line = axes.plot(thresholds, curve.mean, color=colour, label=label)
        _dash(line[0], looks_[label])
    axes.set_ylim(-0.02, 1.04)
    axes.set_xlabel(x_label)
    axes.set_ylabel("share of seeds above")
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=_TICKS))


def picture(
    panels: Mapping[tuple[str, str], Mapping[str, Curve]],
    looks_: Mapping[str, Look],
    format_: str,
    y_label: str = "evaluation return",
) -> bytes:
    """Returns the bytes of a picture file with one panel for each environment.

    Args:
        panels: curves by label, for each panel's (title, label of the x axis).
        looks_: looks by label.
        format_: `png` or `svg`.
        y_label: label of each panel's y axis.
    """

    def drawn(x_label: str, lines: Mapping[str, Curve], axes: Axes) -> None:
        _draw_curves(axes, lines, looks_)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)

    return arranged(
        [
            (title, functools.partial(drawn, x_label, lines))
            for (title, x_label), lines in panels.items()
        ],
        format_,
    )


def arranged(
    panels: Sequence[tuple[str, Callable[[Axes], None]]], format_: str
) -> bytes:
    """Returns the bytes of a picture file with at most three panels in a row.

    Args:
        panels: title of each panel, and what draws it.
        format_: `png` or `svg`.
    """
    rows = -(-len(panels) // 3)
    columns = -(-len(panels) // rows)
    size = (WIDE[0] if columns == 1 else NARROW[0] * columns, 3.4 * rows)
    # Letters as outlines: the file must look the same where fonts are missing.
    with matplotlib.rc_context({**STYLE, "svg.fonttype": "path"}):
        figure = Figure(figsize=size, layout="constrained", facecolor="white")
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes in grid.flat[len(panels) :]:
            axes.set_axis_off()
        letters = int(size[0] / columns * LETTERS)
        for axes, (title, draw) in zip(grid.flat, panels, strict=False):
            draw(axes)
            axes.set_title(textwrap.fill(title, letters), **_TITLE)
            if not axes.get_legend_handles_labels()[1]:
                continue
            legend = axes.legend(frameon=False, loc="best")
            legend.set_in_layout(False)  # dozens of labels would squeeze the axes
            for text in legend.get_texts():
                text.set_text(textwrap.fill(text.get_text(), letters))
        return save(figure, format_, dpi=160)


def _draw_curves(
    axes: Axes, lines: Mapping[str, Curve], looks_: Mapping[str, Look]
) -> None:
    for label, curve in lines.items():
        colour = looks_[label].colour
        if not np.array_equal(curve.low, curve.high):
            axes.fill_between(
                curve.x, curve.low, curve.high, color=colour, alpha=0.18, lw=0
            )
        for x, y in curve.apart:
            alone = "." if len(x) == 1 else ""
            thin = axes.plot(x, y, color=colour, linewidth=0.8, marker=alone)
            thin[0].set_dashes(_APART)
        alone = "o" if len(curve.x) == 1 else ""
        drawn = axes.plot(curve.x, curve.mean, color=colour, label=label, marker=alone)
        _dash(drawn[0], looks_[label])
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=_TICKS))
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=_TICKS))
    axes.xaxis.set_major_formatter(FuncFormatter(steps_label))


def _dash(line: matplotlib.lines.Line2D, look: Look) -> None:
    if look.dashes:
        line.set_dashes(look.dashes)


def both(name: str, draw: Callable[[Axes], None]) -> Drawing:
    """Draws a figure in the width of a laptop and in that of a phone."""
    return Drawing(svg(name, WIDE, draw), svg(f"{name}-narrow", NARROW, draw))


def svg(name: str, size: tuple[float, float], draw: Callable[[Axes], None]) -> str:
    """Draws a figure of some inches; returns it as SVG to be inlined in a page."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        figure.patch.set_visible(False)
        axes = figure.subplots()
        axes.patch.set_visible(False)
        draw(axes)
        return _inline(name, save(figure, "svg").decode())


def save(figure: Figure, format_: str, dpi: float = 100) -> bytes:
    """Returns the bytes of a PNG or SVG file, without date and version."""
    # Without date and version, two reports of the same runs are identical.
    absent = {"svg": ("Date", "Creator"), "png": ("Software",)}[format_]
    buffer = io.BytesIO()
    metadata = dict.fromkeys(absent)
    with warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes.
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        figure.savefig(buffer, format=format_, dpi=dpi, metadata=metadata)
    return buffer.getvalue()


def _inline(name: str, text: str) -> str:
    """Adapts an SVG file's text to a page: scalable, themed, unique identifiers."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    head, _, body = text.partition(">")
    box = re.search(r'viewBox="[^"]*"', head)
    assert box, "matplotlib writes a viewBox"
    body = re.sub(r'(\bid=")', rf"\g<1>{name}-", body)
    body = re.sub(r'(url\(#|href="#)', rf"\g<1>{name}-", body)
    body = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", body)
    body = body.replace(INK, "currentColor").replace(LINE, "var(--line)")
    for index, colour in enumerate(PALETTE):
        body = body.replace(colour, f"var(--series-{index})")
    body = re.sub(r"\n\s*", "\n", body)
    link = ' xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'<svg {box[0]} aria-hidden="true"{link}>{body}'
