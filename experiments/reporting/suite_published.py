"""Aggregates published numbers over the tasks of a suite, next to ours."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.reporting import formats, published, scales, suite_scores
from experiments.reporting.published import Published
from experiments.reporting.scales import Scale
from experiments.reporting.suite_runs import Played

_Window = tuple[int, int]  # frames and window of a published number
_Scores = dict[str, dict[_Window, dict[str, float]]]  # by row, window and task


def tables(
    scale: str,
    ends: Mapping[str, Scale],
    tasks: Sequence[Played],
    labels: Sequence[str],
) -> list[dict[str, Any]]:
    """A table for each published statistic: mean and median over tasks.

    Published rows are means over seeds, so that there is neither an interval nor an
    interquartile mean. A cell is empty unless its agent has a number on each task.

    Args:
        scale: name of the scale of the scores.
        ends: the scale of each task.
        tasks: those that have this scale.
        labels: of our agents.
    """
    rows = {one.name: published.read_published(one.environment) for one in tasks}
    statistics = dict.fromkeys(row.statistic for own in rows.values() for row in own)
    found = []
    for statistic in statistics:
        if statistic == published.SCORE and scale != scales.D4RL:
            continue
        own = {
            task: [row for row in each if row.statistic == statistic]
            for task, each in rows.items()
        }
        own = {task: each for task, each in own.items() if each}
        playing = [one for one in tasks if one.name in own]
        table = _table(scale, statistic, own, ends, playing, labels)
        found += [table] if table["columns"] else []
    return found


def _table(
    scale: str,
    statistic: str,
    rows: Mapping[str, Sequence[Published]],
    ends: Mapping[str, Scale],
    tasks: Sequence[Played],
    labels: Sequence[str],
) -> dict[str, Any]:
    theirs = _theirs(statistic, rows, ends)
    complete = {
        window
        for scores in theirs.values()
        for window, by_task in scores.items()
        if len(by_task) == len(rows)
    }
    windows = sorted(complete)
    mine = _ours(statistic, windows, ends, tasks, labels)
    unit = "learner steps" if tasks[0].counted == "learner" else "frames"
    found = [
        [(who, _cells(scores, windows, len(rows))) for who, scores in each.items()]
        for each in (mine, theirs)
    ]
    every = [row for own in rows.values() for row in own]
    return {
        "statistic": statistic,
        "scale": scale,
        "count": formats.plural(len(rows), "task"),
        "columns": published.columns(windows, unit),
        "ours": found[0],
        "theirs": found[1],
        "sources": list(dict.fromkeys((row.source, row.status) for row in every)),
    }


def _theirs(
    statistic: str,
    rows: Mapping[str, Sequence[Published]],
    ends: Mapping[str, Scale],
) -> _Scores:
    found: _Scores = {}
    for task, own in rows.items():
        for row in own:
            windows = found.setdefault(row.agent, {})
            by_task = windows.setdefault((row.frames, row.window), {})
            by_task[task] = _normalise(row.value, statistic, ends[task])
    return found


def _normalise(value: float, statistic: str, scale: Scale) -> float:
    """A published value on our scale; published D4RL scores are in per cent."""
    if statistic == published.SCORE:
        return value / 100
    return suite_scores.normalise(value, *scale)


def _ours(
    statistic: str,
    windows: Sequence[_Window],
    ends: Mapping[str, Scale],
    tasks: Sequence[Played],
    labels: Sequence[str],
) -> _Scores:
    """Our scores where all runs of an agent on a task have reached a window."""
    found: _Scores = {label: {window: {} for window in windows} for label in labels}
    for one in tasks if windows else ():
        for label, group in one.agents.items():
            values = published.ours(group.runs, statistic, windows)[1:]
            for window, value in zip(windows, values, strict=True):
                if value is not None:
                    score = _normalise(value, statistic, ends[one.name])
                    found[label][window][one.name] = score
    return found


def _cells(
    scores: Mapping[_Window, Mapping[str, float]],
    windows: Sequence[_Window],
    count: int,
) -> list[str]:
    cells = []
    for window in windows:
        values = list(scores.get(window, {}).values())
        whole = len(values) == count
        pair = (float(np.mean(values)), float(np.median(values))) if whole else ()
        cells.append(" / ".join(map(formats.number, pair)) or formats.NONE)
    return cells
