"""Intervals of rliable's stratified bootstrap, the same at each call.

Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice",
NeurIPS 2021, https://arxiv.org/abs/2108.13264.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from experiments.reporting.statistics import Curve, Estimate

REPETITIONS = 2_000


def estimates(
    tables: Sequence[np.ndarray], statistic: Callable[..., np.ndarray]
) -> list[Estimate]:
    """Point estimates with 95 % intervals; seeds are drawn anew within each task.

    Args:
        tables: `[seeds, tasks]` of each agent. If one has a single seed, there is
            nothing to draw from, and the intervals are None.
        statistic: of the tables, `[K]`.

    Returns:
        An estimate for each of the K numbers.
    """
    from rliable import library

    if min(len(table) for table in tables) == 1:
        return [Estimate(float(value), None, None) for value in statistic(*tables)]
    given = tables[0] if len(tables) == 1 else list(tables)
    with _seeded():
        points, intervals = library.get_interval_estimates(
            {"": given}, statistic, reps=REPETITIONS
        )
    low, high = intervals[""]
    return [
        Estimate(float(point), float(below), float(above))
        for point, below, above in zip(points[""], low, high, strict=True)
    ]


def curve(x: np.ndarray, found: Sequence[Estimate]) -> Curve:
    """Estimates along an axis; the band of one without an interval has no width."""
    means = np.array([each.mean for each in found])
    low = [each.mean if each.low is None else each.low for each in found]
    high = [each.mean if each.high is None else each.high for each in found]
    return Curve(x, means, np.array(low), np.array(high))


@contextlib.contextmanager
def _seeded() -> Iterator[None]:
    """Seeds numpy's global generator, which rliable uses; restores its state later."""
    state = np.random.get_state()
    np.random.seed(0)
    try:
        yield
    finally:
        np.random.set_state(state)
