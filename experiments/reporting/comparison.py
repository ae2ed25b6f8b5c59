"""Compares agents on one environment: interquartile means, performance profiles."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from experiments.reporting.statistics import Curve, Estimate

REPETITIONS = 2_000  # of the bootstrap
_THRESHOLDS = 101


class Comparison(NamedTuple):
    """Statistics that rliable computes from the agents' final returns.

    Attributes:
        iqm: interquartile mean over seeds, with its bootstrap interval, by label.
        thresholds: `[X]` returns.
        profiles: share of seeds above each threshold, by label.
    """

    iqm: dict[str, Estimate]
    thresholds: np.ndarray
    profiles: dict[str, Curve]


def compare(returns: Mapping[str, np.ndarray]) -> Comparison:
    """Computes interquartile means and performance profiles with rliable.

    Args:
        returns: `[R]` final returns of an agent's seeds, by label.
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
        # One column: the environment is the bootstrap's only stratum.
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
    """Seeds numpy's global generator, which rliable uses; restores its state later."""
    state = np.random.get_state()
    np.random.seed(0)
    try:
        yield
    finally:
        np.random.set_state(state)
