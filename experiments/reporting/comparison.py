"""Agents against each other on one environment, and against what others published."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from experiments.reporting.statistics import Curve, Estimate

REPETITIONS = 2_000  # of the bootstrap
_THRESHOLDS = 101


class Comparison(NamedTuple):
    """What rliable says of some agents' final returns.

    Attributes:
        iqm: interquartile mean over seeds, with its bootstrap interval, by label.
        thresholds: `[X]` returns.
        profiles: share of seeds above each threshold, by label.
    """

    iqm: dict[str, Estimate]
    thresholds: np.ndarray
    profiles: dict[str, Curve]


def compare(returns: Mapping[str, np.ndarray]) -> Comparison:
    """Interquartile means and performance profiles through rliable.

    Args:
        returns: `[R]` final return of each seed, by label.
    """
    from rliable import library, metrics

    pooled = np.concatenate(list(returns.values()))
    margin = 0.05 * float(np.ptp(pooled)) or 0.5
    thresholds = np.linspace(pooled.min() - margin, pooled.max() + margin, _THRESHOLDS)

    def statistics(scores: np.ndarray) -> np.ndarray:
        above = (scores > thresholds).mean(axis=0)
        return np.concatenate([[metrics.aggregate_iqm(scores)], above])

    iqm, profiles = {}, {}
    for label, scores in returns.items():
        # One column: the seeds of one environment are the only stratum.
        with _seeded():
            points, intervals = library.get_interval_estimates(
                {label: scores[:, None]}, statistics, reps=REPETITIONS
            )
        point, (low, high) = points[label], intervals[label]
        ends = (float(low[0]), float(high[0])) if len(scores) > 1 else (None, None)
        iqm[label] = Estimate(float(point[0]), *ends)
        profiles[label] = Curve(thresholds, point[1:], low[1:], high[1:])
    return Comparison(iqm, thresholds, profiles)


@contextlib.contextmanager
def _seeded() -> Iterator[None]:
    """Equal draws from numpy's global generator, the one that rliable uses."""
    state = np.random.get_state()
    np.random.seed(0)
    try:
        yield
    finally:
        np.random.set_state(state)
