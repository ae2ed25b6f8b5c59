"""Builds a report's section on one environment, as text, numbers and drawings."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments import language_metrics
from experiments.reporting import (
    bootstrap,
    captions,
    comparison,
    completions,
    formats,
    plots,
    published,
    statistics,
)
from experiments.reporting.plots import Drawing, Look
from experiments.reporting.read_logs import ACTION_GAP
from experiments.reporting.read_run import Run
from experiments.reporting.read_runs import Group
from experiments.reporting.statistics import Curve, Estimate


class Row(NamedTuple):
    """A table row about one agent.

    Attributes:
        label: the agent's label.
        estimate: the mean and its interval.
        bar: positions of low, mean and high on the table's scale, in per cent.
        cells: the other columns.
        text: the first column, if it is not the label.
    """

    label: str
    estimate: Estimate
    bar: tuple[float, float, float]
    cells: tuple[str, ...]
    text: str = ""


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
        "action_gap": _action_gap(name, groups, looks),
        "finals": _finals(groups),
        "comparison": _comparison(name, groups, looks) if several else None,
        "whole_runs": _whole_runs(groups),
        "published": published.tables(groups),
        "rates": _rates(name, groups, looks),
        "texts": _texts(groups),
        "completions": completions.shown(groups),
        "throughput": [_throughput(group) for group in groups],
        "waiting": [
            (group.label, sorted(waits.items()))
            for group in groups
            if (waits := statistics.waiting(group.runs))
        ],
    }


def finals_note(runs: Sequence[Run]) -> str:
    """The runs in a final estimate: `3 seeds`; `2 of 3 seeds` if one has no return."""
    count = len(statistics.finals(runs))
    return captions.part(count, len(runs))


def step(runs: Sequence[Run]) -> str:
    """The step at which an agent's final return was measured: `50k`."""
    return formats.steps(max(row.grid for row in statistics.finals(runs)))


def wall_time(runs: Sequence[Run]) -> tuple[float, str]:
    """Mean seconds of the complete runs, or of all so far; and which of them it is."""
    whole = [run for run in runs if run.complete]
    seconds = float(np.mean([run.wall_time for run in whole or runs]))
    if not whole:
        return seconds, "per run, so far"
    return seconds, "per run" if len(whole) == len(runs) else "per complete run"


def _evaluation(name: str, groups: Sequence[Group], looks: Mapping[str, Look]) -> Panel:
    lines = {group.label: statistics.evaluation_curve(group.runs) for group in groups}
    drawing = plots.curves(
        f"{name}-evaluation",
        lines,
        looks,
        "evaluation return",
        statistics.axis(groups[0]),
        _deaths(groups),
    )
    caption = [
        "Raw returns.",
        captions.lines(groups, lines.values()),
        *captions.deaths(groups),
        *captions.ends(groups),
        *captions.gaps(groups),
    ]
    return Panel(drawing, "Evaluation return", " ".join(caption))


def _deaths(groups: Sequence[Group]) -> dict[str, list[float]]:
    """The steps at which roles died, by label of the agent."""
    return {
        group.label: [event["steps"] for run in group.runs for event in run.deaths]
        for group in groups
    }


def _training(
    name: str, groups: Sequence[Group], looks: Mapping[str, Look]
) -> Panel | None:
    lines = _known_curves(groups, statistics.training_curve)
    if not lines:
        return None
    drawing = plots.curves(
        f"{name}-training", lines, looks, "training return", statistics.axis(groups[0])
    )
    caption = [
        "Raw returns of training episodes, with exploration.",
        captions.lines(groups, lines.values()),
        *captions.without_episodes(groups),
        *captions.ends(groups),
    ]
    return Panel(drawing, "Training return", " ".join(caption))


def _action_gap(
    name: str, groups: Sequence[Group], looks: Mapping[str, Look]
) -> Panel | None:
    """The difference that Figure 2 of "Munchausen Reinforcement Learning" shows."""
    lines = _known_curves(
        groups, lambda runs: statistics.metric_curve(runs, ACTION_GAP)
    )
    if not lines:
        return None
    drawing = plots.curves(
        f"{name}-action-gap", lines, looks, "action gap", statistics.axis(groups[0])
    )
    caption = [
        "Value of the best action minus that of the second best, in the learner's "
        "batches.",
        captions.lines(groups, lines.values()),
        *captions.ends(groups),
    ]
    return Panel(drawing, "Action gap", " ".join(caption))


def _known_curves(
    groups: Sequence[Group], curve: Callable[[Sequence[Run]], Curve | None]
) -> dict[str, Curve]:
    """The curve of each agent that has one, by label."""
    found = {group.label: curve(group.runs) for group in groups}
    return {label: each for label, each in found.items() if each is not None}


def _finals(groups: Sequence[Group]) -> list[Row]:
    """A row for each agent; another for its complete runs if only some are complete."""
    chosen = [
        (group, *selection)
        for group in groups
        for selection in captions.selections(group)
    ]
    return _rows(
        [group.label for group, _, _ in chosen],
        [statistics.final_estimate(runs) for _, runs, _ in chosen],
        [
            (
                captions.part(len(statistics.finals(runs)), len(group.runs)),
                formats.number(statistics.whole_run_return(runs)),
                step(runs),
            )
            for group, runs, _ in chosen
        ],
        [text for _, _, text in chosen],
    )


def _rows(
    labels: Sequence[str],
    estimates: Sequence[Estimate],
    cells: Sequence[tuple[str, ...]],
    texts: Sequence[str] = (),
) -> list[Row]:
    least = min(_ends(estimate)[0] for estimate in estimates)
    span = max(_ends(estimate)[1] for estimate in estimates) - least or 1.0
    rows = []
    shown = texts or [""] * len(labels)
    for label, text, estimate, others in zip(
        labels, shown, estimates, cells, strict=True
    ):
        low, high = _ends(estimate)
        bar = [100 * (end - least) / span for end in (low, estimate.mean, high)]
        rows.append(Row(label, estimate, (bar[0], bar[1], bar[2]), others, text))
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
    caption = (
        "Share of seeds with a return above each value, at the step in the table; "
        "95 % intervals."
    )
    return {
        "iqm": _rows(
            labels,
            [found.iqm[label] for label in labels],
            [(finals_note(group.runs), step(group.runs)) for group in groups],
        ),
        "profiles": Panel(drawing, "Performance profile", caption),
        "repetitions": bootstrap.REPETITIONS,
    }


def _whole_runs(groups: Sequence[Group]) -> list[tuple[str, list[str]]]:
    """Training returns of whole runs: mean and interval, by episode and by step."""
    rows = []
    for group in groups:
        found = statistics.whole_run_averages(group.runs)
        if found:
            cells = []
            for values in zip(*found, strict=True):
                estimate = statistics.estimate(values)
                cells += [formats.number(estimate.mean), formats.interval(estimate)]
            over = captions.part(len(found), len(group.runs))
            rows.append((group.label, [*cells, over]))
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


def _texts(groups: Sequence[Group]) -> dict[str, Any] | None:
    """A row of text metrics for each agent, or why there are none; None: no samples."""
    with_samples = [group for group in groups if any(run.samples for run in group.runs)]
    if not with_samples:
        return None
    try:
        found = [
            (group.label, _text_metrics([run for run in group.runs if run.samples]))
            for group in with_samples
        ]
    except ModuleNotFoundError as error:
        return {"missing": str(error)}
    names = list(dict.fromkeys(name for _, means in found for name in means))
    return {
        "missing": "",
        "heads": names,
        "rows": [
            (label, [formats.number(means.get(name)) for name in names])
            for label, means in found
        ],
    }


def _text_metrics(runs: Sequence[Run]) -> dict[str, float]:
    """Means over runs of the text metrics of their last evaluation, by name."""
    measured = [
        language_metrics.of_samples(run.samples, run.experiment["environment"])
        for run in runs
    ]
    return {
        name: float(np.mean([each[name] for each in measured]))
        for name in measured[0]
        if all(name in each for each in measured)
    }


def _throughput(group: Group) -> tuple[str, list[str]]:
    cells = []
    for counter in ("actor_steps", "frames", "learner_steps"):
        rate = _mean([statistics.mean_rate(run, counter) for run in group.runs])
        cells.append(formats.number(rate))
    seconds, of_which = wall_time(group.runs)
    return group.label, [*cells, f"{formats.duration(seconds)} {of_which}"]
