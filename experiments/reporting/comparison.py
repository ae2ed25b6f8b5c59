"""Compares agents on one environment: interquartile means, performance profiles."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from experiments.reporting import bootstrap
from experiments.reporting.statistics import Curve, Estimate

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
    from rliable import metrics

    pooled = np.concatenate(list(returns.values()))
    margin = 0.05 * float(np.ptp(pooled)) or 0.5
    thresholds = np.linspace(pooled.min() - margin, pooled.max() + margin, _THRESHOLDS)

    def statistics(scores: np.ndarray) -> np.ndarray:
        above = (scores > thresholds).mean(axis=0)
        return np.concatenate([[metrics.aggregate_iqm(scores)], above])

    iqm, profiles = {}, {}
    for label, scores in returns.items():
        # One column: the environment is the bootstrap's only stratum.
        found = bootstrap.estimates([scores[:, None]], statistics)
        iqm[label] = found[0]
        profiles[label] = bootstrap.curve(thresholds, found[1:])
    return Comparison(iqm, thresholds, profiles)
