"""Builds a report's section on one environment, as text, numbers and drawings."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.reporting import comparison, formats, plots, published, statistics
from experiments.reporting.plots import Drawing, Look
from experiments.reporting.read_runs import Group, Run
from experiments.reporting.statistics import Estimate


class Row(NamedTuple):
    """A table row about one agent.

    Attributes:
        label: the agent's label.
        estimate: the mean and its interval.
        bar: positions of low, mean and high on the table's scale, in per cent.
        cells: the other columns.
    """

    label: str
    estimate: Estimate
    bar: tuple[float, float, float]
    cells: tuple[str, ...]


class Panel(NamedTuple):
    """A drawing with its title and caption.

    Attributes:
        drawing: inlined SVG.
        title: text above the drawing.
        caption: text below the drawing.
    """

    drawing: Drawing
    title: str
    caption: str


def section(
    index: int, title: str, groups: Sequence[Group], looks: Mapping[str, Look]
) -> dict[str, Any]:
    """Returns all that the template prints about one environment.

    Args:
        index: the environment's position on the page.
        title: the environment's title.
        groups: the agents on this environment.
        looks: how each agent is drawn, by label.
    """
    name = f"environment-{index}"
    several = len(groups) > 1
    return {
        "title": title,
        "labels": [group.label for group in groups],
        "evaluation": _evaluation(name, groups, looks),
        "training": _training(name, groups, looks),
        "finals": _finals(groups),
        "comparison": _comparison(name, groups, looks) if several else None,
        "whole_runs": _whole_runs(groups),
        "published": published.tables(groups),
        "rates": _rates(name, groups, looks),
        "throughput": [_throughput(group) for group in groups],
        "waiting": [
            (group.label, sorted(waits.items()))
            for group in groups
            if (waits := statistics.waiting(group.runs))
        ],
    }


def finals_note(runs: Sequence[Run]) -> str:
    """The runs in a final estimate: `3 seeds`, `2 complete of 3 seeds`, `1 seed`."""
    chosen = statistics.finals(runs)
    if len(chosen) < len(runs):
        return f"{len(chosen)} complete of {formats.plural(len(runs), 'seed')}"
    return formats.plural(len(chosen), "seed")


def _evaluation(name: str, groups: Sequence[Group], looks: Mapping[str, Look]) -> Panel:
    lines = {group.label: statistics.evaluation_curve(group.runs) for group in groups}
    drawing = plots.curves(
        f"{name}-evaluation",
        lines,
        looks,
        "evaluation return",
        statistics.axis(groups[0]),
    )
    return Panel(drawing, "Evaluation return", f"Raw returns. {_band(groups)}")


def _training(
    name: str, groups: Sequence[Group], looks: Mapping[str, Look]
) -> Panel | None:
    lines = {
        group.label: curve
        for group in groups
        if (curve := statistics.training_curve(group.runs)) is not None
    }
    if not lines:
        return None
    drawing = plots.curves(
        f"{name}-training", lines, looks, "training return", statistics.axis(groups[0])
    )
    caption = f"Raw returns of training episodes, with exploration. {_band(groups)}"
    return Panel(drawing, "Training return", caption)


def _band(groups: Sequence[Group]) -> str:
    if all(len(group.runs) == 1 for group in groups):
        return "One seed, so no band."
    return "Line: mean over seeds; band: lowest to highest seed."


def _finals(groups: Sequence[Group]) -> list[Row]:
    estimates = [statistics.final_estimate(group.runs) for group in groups]
    cells = [
        (
            finals_note(group.runs),
            formats.number(statistics.whole_run_return(group.runs)),
            formats.steps(max(run.evaluations[-1].grid for run in group.runs)),
        )
        for group in groups
    ]
    return _rows([group.label for group in groups], estimates, cells)


def _rows(
    labels: Sequence[str],
    estimates: Sequence[Estimate],
    cells: Sequence[tuple[str, ...]],
) -> list[Row]:
    least = min(_ends(estimate)[0] for estimate in estimates)
    span = max(_ends(estimate)[1] for estimate in estimates) - least or 1.0
    rows = []
    for label, estimate, others in zip(labels, estimates, cells, strict=True):
        low, high = _ends(estimate)
        bar = [100 * (end - least) / span for end in (low, estimate.mean, high)]
        rows.append(Row(label, estimate, (bar[0], bar[1], bar[2]), others))
    return rows


def _ends(estimate: Estimate) -> tuple[float, float]:
    if estimate.low is None or estimate.high is None:
        return estimate.mean, estimate.mean
    return estimate.low, estimate.high


def _comparison(
    name: str, groups: Sequence[Group], looks: Mapping[str, Look]
) -> dict[str, Any]:
    returns = {group.label: statistics.final_returns(group.runs) for group in groups}
    found = comparison.compare(returns)
    labels = list(returns)
    drawing = plots.profiles(
        f"{name}-profiles", found.thresholds, found.profiles, looks
    )
    caption = "Share of seeds with a final return above each value; 95 % intervals."
    return {
        "iqm": _rows(
            labels,
            [found.iqm[label] for label in labels],
            [(finals_note(group.runs),) for group in groups],
        ),
        "profiles": Panel(drawing, "Performance profile", caption),
        "repetitions": comparison.REPETITIONS,
    }


def _whole_runs(groups: Sequence[Group]) -> list[tuple[str, list[str]]]:
    """Training returns of whole runs: mean and interval, by episode and by step."""
    rows = []
    for group in groups:
        found = [
            average
            for run in statistics.finals(group.runs)
            if (average := statistics.training_average(run.metrics)) is not None
        ]
        if found:
            cells = []
            for values in zip(*found, strict=True):
                estimate = statistics.estimate(values)
                cells += [formats.number(estimate.mean), formats.interval(estimate)]
            rows.append((group.label, [*cells, finals_note(group.runs)]))
    return rows


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _rates(
    name: str, groups: Sequence[Group], looks: Mapping[str, Look]
) -> list[Panel]:
    panels = []
    acting = groups[0].runs[0].counted == "actor"
    for role in ("actor", "learner") if acting else ("learner",):
        lines = [
            (looks[group.label], *rate)
            for group in groups
            for run in group.runs
            if (rate := statistics.rate(run, f"{role}_steps")) is not None
        ]
        if lines:
            y_label = f"{role} steps per second"
            drawing = plots.rates(f"{name}-{role}-rate", lines, y_label)
            panels.append(Panel(drawing, f"{role.capitalize()} throughput", ""))
    return panels


def _throughput(group: Group) -> tuple[str, list[str]]:
    cells = []
    for counter in ("actor_steps", "frames", "learner_steps"):
        rate = _mean([statistics.mean_rate(run, counter) for run in group.runs])
        cells.append(formats.number(rate))
    seconds = float(np.mean([run.wall_time for run in group.runs]))
    return group.label, [*cells, formats.duration(seconds)]
