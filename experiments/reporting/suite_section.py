"""Builds a report's section on a suite: tables and drawings over its tasks."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from experiments.catalogue.suites import Suite
from experiments.flags import OverrideError
from experiments.reporting import (
    bootstrap,
    formats,
    plots,
    scales,
    statistics,
    suite_plots,
    suite_published,
    suite_scores,
)
from experiments.reporting.plots import Look
from experiments.reporting.scales import Scale
from experiments.reporting.sections import Panel
from experiments.reporting.statistics import Curve
from experiments.reporting.suite_runs import Played, SuiteRuns
from experiments.reporting.suite_scores import Aggregates
from launch.errors import RunDirectoryError

_THRESHOLDS = 101
_HIGHEST = 8.0  # score in a profile, as in rliable's; a few Atari games go beyond 100


class ScaledTasks(NamedTuple):
    """The tasks of a suite that have returns on one scale.

    Attributes:
        name: of the scale.
        tasks: those with this scale.
        scales: of each of them, by name.
    """

    name: str
    tasks: list[Played]
    scales: dict[str, Scale]


class Gains(NamedTuple):
    """One agent against the baseline.

    Attributes:
        by_task: gain on each task that has one, by name.
        cells: the columns of the agent's row.
        left_out: a line for each task without a gain.
    """

    by_task: dict[str, float]
    cells: list[str]
    left_out: list[str]


def section(
    name: str,
    suite: Suite,
    runs: SuiteRuns,
    baseline: str | None,
    looks: Mapping[str, Look],
) -> dict[str, Any]:
    """Returns all that the template prints about a suite.

    Args:
        name: of the suite.
        suite: its tasks.
        runs: of its tasks.
        baseline: label of the agent that the others are compared with; None: `dqn`, or
            else the first.
        looks: how each agent is drawn, by label.

    Raises:
        OverrideError: no agent has the label of the baseline.
    """
    reference = _baseline(baseline, runs.labels)
    scaled = _scaled(runs)
    return {
        "name": name,
        "description": suite.description,
        "source": suite.source,
        "labels": runs.labels,
        "played": f"{len(runs.played)} of {formats.plural(len(suite.tasks), 'task')}",
        "missing": runs.missing,
        "scales": [(each.name, scales.MEANINGS[each.name]) for each in scaled],
        "tasks": [_task(one, runs.labels, scaled) for one in runs.played],
        "aggregates": [
            _aggregates(f"suite-{index}", each, runs, looks)
            for index, each in enumerate(scaled)
        ],
        "published": [
            table
            for each in scaled
            for table in suite_published.tables(
                each.name, each.scales, each.tasks, runs.labels
            )
        ],
        "repetitions": bootstrap.REPETITIONS,
        "baseline": reference,
        "against": _against(reference, runs, looks),
    }


def picture(
    runs: SuiteRuns, baseline: str | None, looks: Mapping[str, Look], format_: str
) -> bytes:
    """Returns a picture file: profiles, and each agent's gains over the baseline.

    Args:
        runs: of the suite's tasks.
        baseline: as in `section`.
        looks: how each agent is drawn, by label.
        format_: `png` or `svg`.

    Raises:
        OverrideError: no agent has the label of the baseline.
        RunDirectoryError: there is nothing to draw.
    """
    reference = _baseline(baseline, runs.labels)
    panels: list[tuple[str, Callable[[Axes], None]]] = []
    for each in _scaled(runs):
        try:
            x, lines = _shares(_selected(each, runs).scores)
        except ValueError:  # no task in common, as the page says
            continue
        shares = functools.partial(
            plots.draw_profiles,
            thresholds=x,
            lines=lines,
            looks_=looks,
            x_label=each.name,
        )
        panels.append((f"Performance profile, {each.name}", shares))
    for label in runs.labels:
        gains = _gains(label, reference, runs).by_task
        if label != reference and gains:
            bars = functools.partial(
                suite_plots.draw_improvements, gains=gains, look=looks[label]
            )
            panels.append((f"{label} against {reference}", bars))
    if not panels:
        raise RunDirectoryError(
            "a picture of a suite needs two agents on a task, or tasks with reference "
            "returns, and the runs have neither"
        )
    return plots.arranged(panels, format_)


def _baseline(wanted: str | None, labels: Sequence[str]) -> str:
    if wanted is None:
        return "dqn" if "dqn" in labels else labels[0]
    if wanted not in labels:
        raise OverrideError(
            f"--baseline must be one of the agents {', '.join(labels)}, got {wanted}"
        )
    return wanted


def _scaled(runs: SuiteRuns) -> list[ScaledTasks]:
    """Each scale that some task has, with its tasks."""
    known = {one.name: scales.scales(one.environment) for one in runs.played}
    names = dict.fromkeys(name for own in known.values() for name in own)
    return [
        ScaledTasks(
            name,
            [one for one in runs.played if name in known[one.name]],
            {task: own[name] for task, own in known.items() if name in own},
        )
        for name in names
    ]


def _task(
    one: Played, labels: Sequence[str], scaled: Sequence[ScaledTasks]
) -> dict[str, Any]:
    """A task's rows: each agent, then the ends of the scales."""
    agents = []
    for label in labels:
        returns = list(one.returns(label).values())
        if not returns:
            agents.append((label, ["0", *[formats.NONE] * (2 + len(scaled))]))
            continue
        estimate = statistics.estimate(returns)
        agents.append(
            (
                label,
                [
                    str(len(returns)),
                    formats.number(estimate.mean),
                    formats.interval(estimate),
                    *(_normalised(estimate.mean, one.name, each) for each in scaled),
                ],
            )
        )
    ends: dict[str, str] = {}
    for each in scaled:
        if one.name in each.scales:
            pair = zip(scales.ENDS[each.name], each.scales[one.name], strict=True)
            ends |= {text: formats.quoted(value) for text, value in pair}
    return {
        "name": one.name,
        "reached": one.reached,
        "agents": agents,
        "ends": list(ends.items()),
    }


def _normalised(value: float, task: str, scaled: ScaledTasks) -> str:
    if task not in scaled.scales:
        return formats.NONE
    return formats.number(suite_scores.normalise(value, *scaled.scales[task]))


def _aggregates(
    name: str, scaled: ScaledTasks, runs: SuiteRuns, looks: Mapping[str, Look]
) -> dict[str, Any]:
    """Statistics and profile of all agents over the tasks that all of them have."""
    left_out = [
        f"{one.name}: no reference returns"
        for one in runs.played
        if one.name not in scaled.scales
    ]
    found: dict[str, Any] = dict.fromkeys(("rows", "tasks", "profile"), ())
    found |= {"scale": scaled.name}
    try:
        chosen = _selected(scaled, runs)
    except ValueError as error:
        return found | {"left_out": [*left_out, f"no aggregate: {error}"]}
    return found | {
        "tasks": chosen.tasks,
        "left_out": [*left_out, *chosen.left_out],
        "rows": [
            (label, _cells(suite_scores.aggregates(table), chosen.seeds[label]))
            for label, table in chosen.scores.items()
        ],
        "profile": _profile(name, scaled.name, chosen.scores, looks),
    }


def _selected(scaled: ScaledTasks, runs: SuiteRuns) -> suite_scores.Selection:
    """The normalised scores that all agents have.

    Raises:
        ValueError: the agents have no task in common.
    """
    scores = {
        label: {
            task: [
                suite_scores.normalise(value, *scaled.scales[task]) for value in values
            ]
            for task, values in by_task.items()
            if task in scaled.scales
        }
        for label, by_task in runs.returns().items()
    }
    return suite_scores.select(scores, [one.name for one in scaled.tasks])


def _cells(found: Aggregates, seeds: int) -> list[tuple[str, str]]:
    """Pairs of a number and its interval; the last one has no interval."""
    shown = [(formats.number(each.mean), formats.interval(each)) for each in found]
    return [*shown, (str(seeds), "")]


def _profile(
    name: str, scale: str, tables: Mapping[str, np.ndarray], looks: Mapping[str, Look]
) -> Panel:
    x, lines = _shares(tables)
    drawing = plots.profiles(f"{name}-profile", x, lines, looks, scale)
    caption = "Share of the runs of all these tasks with a score above each value."
    if any(table.max() > x[-1] for table in tables.values()):
        caption += f" The axis ends at {_HIGHEST:g}; some scores are higher."
    return Panel(drawing, f"Performance profile, {scale}", caption)


def _shares(tables: Mapping[str, np.ndarray]) -> tuple[np.ndarray, dict[str, Curve]]:
    """Thresholds, and the share of each agent's scores above them."""
    pooled = np.concatenate([table.ravel() for table in tables.values()])
    low, high = float(pooled.min()), float(pooled.max())
    cut = low < _HIGHEST < high
    high = _HIGHEST if cut else high
    margin = 0.05 * (high - low) or 0.5
    x = np.linspace(low - margin, high + margin * (not cut), _THRESHOLDS)
    return x, {label: suite_scores.profile(table, x) for label, table in tables.items()}


def _against(
    baseline: str, runs: SuiteRuns, looks: Mapping[str, Look]
) -> list[dict[str, Any]]:
    """Each other agent's gains over the baseline, in numbers and as bars."""
    found = []
    for index, label in enumerate(runs.labels):
        if label == baseline:
            continue
        gains = _gains(label, baseline, runs)
        drawing = (
            suite_plots.improvements(f"suite-bars-{index}", gains.by_task, looks[label])
            if gains.by_task
            else None
        )
        title = f"{label} against {baseline}"
        panel = Panel(drawing, title, "") if drawing else None
        found.append(
            {
                "label": label,
                "cells": gains.cells,
                "left_out": gains.left_out,
                "bars": panel,
            }
        )
    return found


def _gains(label: str, baseline: str, runs: SuiteRuns) -> Gains:
    """Counts wins and measures gains on the tasks that both agents have."""
    by_task, wins, left_out, common = {}, 0, [], []
    for one in runs.played:
        ours, theirs = one.mean(label), one.mean(baseline)
        if ours is None or theirs is None:
            left_out.append(f"{one.name}: not both agents have a result")
            continue
        common.append(one.name)
        wins += ours > theirs
        low = scales.random_return(one.environment)
        gain = None if low is None else suite_scores.improvement(ours, theirs, low)
        if gain is not None:
            by_task[one.name] = gain
            continue
        known = "the baseline is as good as random play"
        reason = "the return of random play is unknown" if low is None else known
        left_out.append(f"{one.name}: no improvement, since {reason}")
    if not common:
        return Gains(by_task, [formats.NONE] * 5, left_out)
    returns = runs.returns()
    chosen = suite_scores.select(
        {name: returns[name] for name in (label, baseline)}, common
    )
    probability = suite_scores.probability_of_improvement(
        chosen.scores[label], chosen.scores[baseline]
    )
    values = list(by_task.values())
    middle = (float(np.median(values)), float(np.mean(values))) if values else ()
    cells = [
        f"{wins} of {len(common)}",
        *(f"{formats.number(100 * value)} %" for value in middle),
        *[formats.NONE] * (2 - len(middle)),
        formats.number(probability.mean),
        formats.interval(probability),
    ]
    return Gains(by_task, cells, [*left_out, *chosen.left_out])
