"""Aggregates the runs of one agent over seeds: curves, final returns and rates."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.reporting.read_runs import WAITING, Group, Run
from launch.runs.logs import Counts

TRAINING_BINS = 100
RATE_BINS = 40
CONFIDENCE = 0.95


class Curve(NamedTuple):
    """Runs aggregated along one axis; every array is `[X]`.

    Attributes:
        x: steps (or returns, in a performance profile).
        mean: over the runs that reach x.
        low: lower end of the band at x, such as the lowest run's value.
        high: upper end of the band at x, such as the highest run's value.
    """

    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


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


def aggregate(series: Iterable[tuple[np.ndarray, np.ndarray]]) -> Curve:
    """Mean, lowest and highest of series `(x, y)` at every x that any series has.

    A series is interpolated between its own points and ignored outside their range.
    So the mean is not distorted if evaluators skipped different points of the grid.
    """
    pairs = list(series)
    x = np.unique(np.concatenate([own for own, _ in pairs]))
    rows = [np.interp(x, *pair, left=np.nan, right=np.nan) for pair in pairs]
    values = np.stack(rows)
    return Curve(
        x,
        np.nanmean(values, axis=0),
        np.nanmin(values, axis=0),
        np.nanmax(values, axis=0),
    )


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
    end = max(run.clock for run in runs)
    edges = np.linspace(0, end, TRAINING_BINS + 1)
    centres = (edges[1:] + edges[:-1]) / 2
    series = []
    for run in runs:
        steps, returns, weights = _training(_training_rows(run.metrics))
        if len(steps):
            index = np.clip(np.searchsorted(edges, steps) - 1, 0, TRAINING_BINS - 1)
            total = np.bincount(index, weights * returns, TRAINING_BINS)
            weight = np.bincount(index, weights, TRAINING_BINS)
            filled = weight > 0
            series.append((centres[filled], total[filled] / weight[filled]))
    return aggregate(series) if series else None


def training_return(run: Run, frames: int, window: int) -> float | None:
    """Mean return of the training episodes that ended in frames (F - window, F].

    None if the run has not reached frame F, or no episode ended in that window.
    """
    reached = max((row["frames"] for row in run.metrics), default=0)
    rows = _training_rows(run.metrics)
    inside = [frames - window < row["frames"] <= frames for row in rows]
    _, returns, weights = _training(rows)
    if reached < frames or not any(inside):
        return None
    return float(np.average(returns[inside], weights=weights[inside]))


def training_average(
    metrics: Sequence[dict[str, Any]], actor_steps: float = np.inf
) -> Average | None:
    """Mean training return from the start to an actor step; None without episodes."""
    rows = _training_rows(metrics)
    steps, returns, weights = _training(rows)
    inside = steps <= actor_steps
    if not inside.any():
        return None
    spans = np.diff(steps, prepend=0)[inside]
    return Average(
        float(np.average(returns[inside], weights=weights[inside])),
        float(np.average(returns[inside], weights=np.maximum(spans, 1))),
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
    """Highest mean over runs of any evaluation up to frame F; None if none."""
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
    """Steps per second between the first and last log row, so without the start-up."""
    wall, count = _clock(run, counter)
    if len(wall) < 2:
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


def finals(runs: Sequence[Run]) -> list[Run]:
    """The runs used for final numbers: the complete runs, or all if none is."""
    return [run for run in runs if run.complete] or list(runs)


def final_returns(runs: Sequence[Run]) -> np.ndarray:
    """`[R]` mean return of the last evaluation of each run in `finals`."""
    return np.array([run.evaluations[-1].mean_return for run in finals(runs)])


def whole_run_return(runs: Sequence[Run]) -> float:
    """Mean return of all evaluations, averaged over the runs in `finals`."""
    means = [
        np.mean([row.mean_return for row in run.evaluations]) for run in finals(runs)
    ]
    return float(np.mean(means))


def final_estimate(runs: Sequence[Run]) -> Estimate:
    """Final return with Student's t interval over seeds; over episodes for one seed."""
    chosen = finals(runs)
    if len(chosen) == 1:
        return estimate(chosen[0].evaluations[-1].returns)
    return estimate(final_returns(runs))


def estimate(values: Sequence[float] | np.ndarray) -> Estimate:
    """Mean and Student's 95 % t interval of independent values."""
    from scipy import special

    sample = np.asarray(values, float)
    mean = float(sample.mean())
    if len(sample) < 2:
        return Estimate(mean, None, None)
    quantile = special.stdtrit(len(sample) - 1, (1 + CONFIDENCE) / 2)
    half = float(quantile * sample.std(ddof=1) / np.sqrt(len(sample)))
    return Estimate(mean, mean - half, mean + half)


def _training_rows(metrics: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in metrics if row.get("episode_return") is not None]


def _training(
    rows: Sequence[dict[str, Any]],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Steps, mean return and number of episodes of each row with training episodes."""
    steps = np.array([row["actor_steps"] for row in rows], float)
    returns = np.array([row["episode_return"] for row in rows], float)
    episodes = np.diff([row["episodes"] for row in rows], prepend=0)
    return steps, returns, np.maximum(episodes, 1).astype(float)


def _repeat(counts: Counts) -> int:
    """Frames per actor step."""
    return round(counts.frames / max(counts.actor_steps, 1))


def _clock(run: Run, counter: str) -> tuple[np.ndarray, np.ndarray]:
    """Strictly increasing wall times, and the counter's value at each of them."""
    wall = np.array([row["wall_time"] for row in run.metrics], float)
    count = np.array([row[counter] for row in run.metrics], float)
    later = np.concatenate([[True], np.diff(np.maximum.accumulate(wall)) > 0])
    return (wall[later], count[later]) if len(wall) else (wall, count)
