"""Draws the gain of an agent over a baseline on each task of a suite."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from experiments.reporting import plots
from experiments.reporting.plots import Drawing, Look
from experiments.reporting.style import INK

_LINEAR = 1.0  # beyond this gain the axis is logarithmic
_BAR = 0.16  # inches


def improvements(name: str, gains: Mapping[str, float], look: Look) -> Drawing:
    """Draws a bar for each task, from the largest loss to the largest gain.

    The axis is linear up to 100 % and logarithmic beyond, as in Figure 4 of
    "Munchausen Reinforcement Learning".

    Args:
        name: prefix of the SVG's identifiers; unique on the page.
        gains: by task, as `suite_scores.improvement` gives them.
        look: of the agent.
    """
    size = (plots.WIDE[0], plots.WIDE[1] + _BAR * max(map(len, gains)) / 2.5)
    return Drawing(
        plots.svg(name, size, lambda axes: draw_improvements(axes, gains, look))
    )


def draw_improvements(axes: Axes, gains: Mapping[str, float], look: Look) -> None:
    """Draws what `improvements` does into a panel."""
    order = sorted(gains, key=gains.__getitem__)
    axes.bar(range(len(order)), [gains[task] for task in order], color=look.colour)
    if max(map(abs, gains.values())) > _LINEAR:  # else that scale would lack ticks
        axes.set_yscale("symlog", linthresh=_LINEAR)
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{100 * y:g} %"))
    axes.set_ylabel("improvement")
    axes.set_xticks(range(len(order)), order, rotation=90)
    axes.set_xlim(-0.6, len(order) - 0.4)
    axes.grid(False, axis="x")
