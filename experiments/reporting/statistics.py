"""Aggregates the runs of one agent over seeds: curves, final returns and rates."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.reporting.read_logs import WAITING
from experiments.reporting.read_run import Run
from experiments.reporting.read_runs import Group
from launch.runs.logs import Counts, EvaluationRow

TRAINING_BINS = 100
RATE_BINS = 40
CONFIDENCE = 0.95

Series = tuple[np.ndarray, np.ndarray]  # x and y of one run, x increasing


class Curve(NamedTuple):
    """Runs aggregated along one axis; every array is `[X]`.

    Attributes:
        x: steps (or returns, in a performance profile).
        mean: over all runs.
        low: lower end of the band at x, such as the lowest run's value.
        high: upper end of the band at x, such as the highest run's value.
        apart: parts of single runs where not every run has a value.
    """

    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    apart: tuple[Series, ...] = ()


class Average(NamedTuple):
    """Mean raw training return of a whole run, exploration included.

    "Leverage the Average" reports such a number and calls it the return per episode;
    Dopamine, whose settings the paper uses, logs the mean of each 1,000 steps. Agents
    that fail early have more episodes, which weigh more by episode than by step.

    Attributes:
        by_episode: mean over all episodes that ended.
        by_step: mean over time: a log row's weight is the actor steps since the last
            row.
    """

    by_episode: float
    by_step: float


class Estimate(NamedTuple):
    """A mean with its 95 % interval.

    Attributes:
        mean: of the values.
        low: lower end; None for a single value, which has no spread.
        high: upper end; None for a single value.
    """

    mean: float
    low: float | None
    high: float | None


def aggregate(series: Iterable[Series]) -> Curve:
    """Mean, lowest and highest of series at every x, as far as all series go.

    A series is interpolated between its own points. So the mean is not distorted if
    evaluators skipped different points of the grid. Where a series has ended, or has
    not begun, there is no mean: the others are `apart` there.
    """
    pairs = list(series)
    first = max(x[0] for x, _ in pairs)
    last = min(x[-1] for x, _ in pairs)
    grid = np.unique(np.concatenate([x for x, _ in pairs]))
    shared = grid[(first <= grid) & (grid <= last)]
    values = np.stack([np.interp(shared, *pair) for pair in pairs])
    apart = [part for pair in pairs for part in _apart(pair, first, last)]
    return Curve(
        shared,
        values.mean(axis=0),
        values.min(axis=0),
        values.max(axis=0),
        tuple(apart),
    )


def _apart(series: Series, first: float, last: float) -> Iterator[Series]:
    """The parts of a series before `first` and after `last`, up to and with these."""
    x, y = series
    if first > last:  # there is no x that all series have
        yield series
        return
    for outside, end in ((x < first, first), (x > last, last)):
        if outside.any():
            points = np.unique(np.append(x[outside], end))
            yield points, np.interp(points, x, y)


def axis(group: Group) -> str:
    """Label of the x axis of an agent's curves: `actor steps` or `learner steps`."""
    return f"{group.runs[0].counted} steps"


def evaluation_curve(runs: Sequence[Run]) -> Curve:
    """Evaluation return over the grid of steps."""
    return aggregate(
        (
            np.array([row.grid for row in run.evaluations], float),
            np.array([row.mean_return for row in run.evaluations]),
        )
        for run in runs
    )


def training_curve(runs: Sequence[Run]) -> Curve | None:
    """Mean return of training episodes in bins of actor steps; None if none ended."""
    logs = [_training(run.metrics) for run in runs]
    return _binned(runs, [(log.steps, log.returns, log.episodes) for log in logs])


def metric_curve(runs: Sequence[Run], name: str) -> Curve | None:
    """Mean of a metric of the learner in bins of steps; None if no run has logged it.

    A value that is not finite is left out.
    """
    points = []
    for run in runs:
        rows = [row for row in run.metrics if row.get(name) is not None]
        steps = np.array([row[f"{run.counted}_steps"] for row in rows], float)
        values = np.array([row[name] for row in rows], float)
        points.append((steps, values, np.ones(len(rows))))
    return _binned(runs, points)


def _binned(
    runs: Sequence[Run], points: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]
) -> Curve | None:
    """Weighted means of each run's points in bins of its steps; None without points.

    Args:
        runs: the runs of one agent.
        points: steps, values and weights of each run, `[K]` each.
    """
    end = max(run.clock for run in runs)
    edges = np.linspace(0, end, TRAINING_BINS + 1)
    centres = (edges[1:] + edges[:-1]) / 2
    series = []
    for steps, values, weights in points:
        if len(steps):
            index = np.searchsorted(edges, steps) - 1
            index = np.clip(index, 0, TRAINING_BINS - 1)
            total = np.bincount(index, weights * values, TRAINING_BINS)
            weight = np.bincount(index, weights, TRAINING_BINS)
            filled = weight > 0
            series.append((centres[filled], total[filled] / weight[filled]))
    return aggregate(series) if series else None


def training_return(run: Run, frames: int, window: int) -> float | None:
    """Mean return of the training episodes that ended in frames (F - window, F].

    None if the run has not reached frame F, or no episode ended in that window.
    """
    reached = max((row["frames"] for row in run.metrics), default=0)
    log = _training(run.metrics)
    inside = (frames - window < log.frames) & (log.frames <= frames)
    if reached < frames or not inside.any():
        return None
    return float(np.average(log.returns[inside], weights=log.episodes[inside]))


def training_average(
    metrics: Sequence[dict[str, Any]], actor_steps: float = np.inf
) -> Average | None:
    """Mean training return from the start to an actor step; None without episodes."""
    log = _training(metrics)
    inside = log.steps <= actor_steps
    if not inside.any():
        return None
    returns = log.returns[inside]
    return Average(
        float(np.average(returns, weights=log.episodes[inside])),
        float(np.average(returns, weights=log.spans[inside])),
    )


def evaluation_return(run: Run, frames: int, window: int) -> float | None:
    """Mean return of the evaluations in frames (F - window, F]; None if none."""
    inside = [
        row.mean_return
        for row in run.evaluations
        if frames - window < row.grid * _repeat(row.counts) <= frames
    ]
    return float(np.mean(inside)) if inside else None


def best_evaluation(runs: Sequence[Run], frames: int) -> float | None:
    """Highest mean over all runs of any evaluation up to frame F; None if none."""
    curve = evaluation_curve(runs)
    inside = curve.x * _repeat(runs[0].evaluations[-1].counts) <= frames
    return float(curve.mean[inside].max()) if inside.any() else None


def rate(run: Run, counter: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Steps per second over the run's wall time.

    Args:
        run: the run, of which the metrics are used.
        counter: `actor_steps` or `learner_steps`.

    Returns:
        Seconds since the start and the rates then; None with under three log rows.
    """
    wall, count = _clock(run, counter)
    if len(wall) < 3:
        return None
    bins = min(RATE_BINS, len(wall) - 1)
    edges = np.linspace(wall[0], wall[-1], bins + 1)
    gained = np.diff(np.interp(edges, wall, count))
    return (edges[1:] + edges[:-1]) / 2, gained / np.diff(edges)


def mean_rate(run: Run, counter: str) -> float | None:
    """Steps per second between the first and last log row, so without the start-up.

    None if the run has not counted between two rows.
    """
    wall, count = _clock(run, counter)
    if len(wall) < 2 or count[-1] == count[0]:
        return None
    return float((count[-1] - count[0]) / (wall[-1] - wall[0]))


def waiting(runs: Sequence[Run]) -> dict[str, float]:
    """Mean share of time spent waiting, by the role or by the operation waited for."""
    found: dict[str, list[float]] = {}
    for run in runs:
        for row in run.metrics:
            for name, value in row.items():
                if name.endswith(WAITING) and value is not None:
                    what = name.removesuffix(WAITING).strip("_")
                    label = row["role"] if what in ("", row["role"]) else what
                    found.setdefault(label.replace("_", " "), []).append(float(value))
    return {label: float(np.mean(values)) for label, values in found.items()}


def complete(runs: Sequence[Run]) -> bool:
    """Whether all runs are complete."""
    return all(run.complete for run in runs)


def finals(runs: Sequence[Run]) -> list[EvaluationRow]:
    """The last evaluations that can be compared: up to the step that all runs reach.

    One for each run that has an evaluation up to there.
    """
    end = min(run.end for run in runs)
    rows = [[row for row in run.evaluations if row.grid <= end] for run in runs]
    return [own[-1] for own in rows if own]


def final_returns(runs: Sequence[Run]) -> np.ndarray:
    """`[R]` mean return of each evaluation in `finals`."""
    return np.array([row.mean_return for row in finals(runs)])


def whole_run_return(runs: Sequence[Run]) -> float:
    """Mean return of all evaluations up to those in `finals`, averaged over runs."""
    end = min(run.end for run in runs)
    own = [
        [row.mean_return for row in run.evaluations if row.grid <= end] for run in runs
    ]
    return float(np.mean([np.mean(returns) for returns in own if returns]))


def whole_run_averages(runs: Sequence[Run]) -> list[Average]:
    """Mean training return of each run with episodes, as far as all runs go."""
    end = np.inf if complete(runs) else min(run.actor_steps for run in runs)
    found = [training_average(run.metrics, end) for run in runs]
    return [average for average in found if average is not None]


def final_estimate(runs: Sequence[Run]) -> Estimate:
    """Final return with Student's t interval over seeds; over episodes for one seed."""
    rows = finals(runs)
    if len(rows) == 1:
        return estimate(rows[0].returns)
    return estimate(final_returns(runs))


def estimate(values: Sequence[float] | np.ndarray) -> Estimate:
    """Mean and Student's 95 % t interval of independent values."""
    from scipy import special

    sample = np.asarray(values, float)
    mean = float(sample.mean())
    if len(sample) < 2:
        return Estimate(mean, None, None)
    quantile = special.stdtrit(len(sample) - 1, (1 + CONFIDENCE) / 2)
    scale = float(np.abs(sample).max()) or 1.0  # squares of 1e300 are not finite
    deviation = scale * (sample / scale).std(ddof=1)
    half = float(quantile * deviation / np.sqrt(len(sample)))
    return Estimate(mean, mean - half, mean + half)


class _Training(NamedTuple):
    """The log rows with a training return; every array is `[K]`.

    Attributes:
        steps: actor steps at the row.
        frames: frames at the row.
        returns: mean return of the episodes that ended since the row before.
        episodes: number of these episodes, at least 1.
        spans: actor steps since the row before, at least 1.
    """

    steps: np.ndarray
    frames: np.ndarray
    returns: np.ndarray
    episodes: np.ndarray
    spans: np.ndarray


def _training(metrics: Sequence[dict[str, Any]]) -> _Training:
    """A return that is not finite is left out, and so is its row's weight."""
    rows = [row for row in metrics if "episode_return" in row]
    steps, frames, returns, episodes = (
        np.array([row[name] for row in rows], float)
        for name in ("actor_steps", "frames", "episode_return", "episodes")
    )
    weights = [np.maximum(np.diff(each, prepend=0), 1) for each in (episodes, steps)]
    return _Training(
        *(each[~np.isnan(returns)] for each in (steps, frames, returns, *weights))
    )


def _repeat(counts: Counts) -> int:
    """Frames per actor step."""
    return round(counts.frames / max(counts.actor_steps, 1))


def _clock(run: Run, counter: str) -> tuple[np.ndarray, np.ndarray]:
    """Strictly increasing wall times, and the counter's value at each of them."""
    wall = np.array([row["wall_time"] for row in run.metrics], float)
    count = np.array([row[counter] for row in run.metrics], float)
    later = np.concatenate([[True], np.diff(np.maximum.accumulate(wall)) > 0])
    return (wall[later], count[later]) if len(wall) else (wall, count)
