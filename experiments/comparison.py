"""Agents against each other on one environment, and against what others published."""

import contextlib
import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments.curves import Curve, Estimate

PUBLISHED = Path(__file__).with_name("published")
STATUSES = ("verified", "computed", "second-hand", "recalled")
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


class Published(NamedTuple):
    """A row of `published/*.csv`.

    Attributes:
        environment: class of the environment's configuration, such as `Atari`.
        task: its game or name.
        protocol: empty where the environment has none.
        agent: as its authors call it.
        statistic: what `value` is; of trained agents one of `beside.STATISTICS`.
        frames: where on the curve, at the end of the window.
        window: frames over which the value is a mean.
        value: the number.
        spread: what its source gives after a plus or minus; the note says what it is.
        seeds: how many, or empty if the source does not say.
        status: `verified` (read in the source), `computed` (from the source's data),
            `second-hand` (read in somebody's copy of it) or `recalled` (from memory:
            never shown).
        source: where it is from.
        note: what one must know to compare.
    """

    environment: str
    task: str
    protocol: str
    agent: str
    statistic: str
    frames: int
    window: int
    value: float
    spread: str
    seeds: str
    status: str
    source: str
    note: str


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


def published(
    environment: Mapping[str, Any], folder: Path = PUBLISHED
) -> list[Published]:
    """What others published for an environment, as far as it was read or computed.

    Args:
        environment: its configuration as plain data.
        folder: of CSV files.

    Raises:
        ValueError: a row has a status of its own invention.
    """
    task = environment.get("game", environment.get("name", ""))
    key = (environment.get("kind"), task, environment.get("protocol", ""))
    rows = [row for path in sorted(folder.glob("*.csv")) for row in _rows(path)]
    return [
        row
        for row in rows
        if (row.environment, row.task, row.protocol) == key and row.status != "recalled"
    ]


def _rows(path: Path) -> Sequence[Published]:
    with path.open(newline="", encoding="utf-8") as file:
        found = []
        for row in csv.DictReader(file):
            if row["status"] not in STATUSES:
                raise ValueError(f"{path}: {row['status']!r} is none of {STATUSES}")
            types = Published.__annotations__
            found.append(Published(**{name: types[name](row[name]) for name in types}))
    return found
