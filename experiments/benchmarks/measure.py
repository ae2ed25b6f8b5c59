"""Measured figures with their limits, and a timer that interleaves measurements."""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from launch.errors import RunFailed

_SLICE_SECONDS = 0.25


class BenchFailed(RunFailed):
    """The measured process ended by itself; the message describes how."""


class Measurement(NamedTuple):
    """A figure with its limit, measured in the same benchmark run.

    Attributes:
        name: name of the figure.
        value: the measured value.
        limit: the best possible value, or the largest allowed value.
        ratio: value / limit.
        unit: unit of value and limit.
        least: lower bound of the ratio that the project aims at; None: no bound.
        most: upper bound of the ratio that the project aims at; None: no bound.
    """

    name: str
    value: float
    limit: float
    ratio: float
    unit: str
    least: float | None = None
    most: float | None = None

    @property
    def wanted(self) -> str:
        """The target for the ratio, in words; empty without a target."""
        if self.least is not None:
            return f"at least {self.least:g}"
        return "" if self.most is None else f"at most {self.most:g}"

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without a target."""
        if self.least is not None:
            return self.ratio >= self.least
        return None if self.most is None else self.ratio <= self.most


def share(
    name: str, value: float, ideal: float, unit: str, least: float | None = None
) -> Measurement:
    """Makes a figure whose limit is the best possible value."""
    return Measurement(name, value, ideal, value / ideal, unit, least=least)


def cost(name: str, value: float, allowed: float, unit: str) -> Measurement:
    """Makes a figure whose limit is the largest allowed value."""
    return Measurement(name, value, allowed, value / allowed, unit, most=1.0)


class Timed(NamedTuple):
    """An operation to time by repeating it.

    Attributes:
        step: does the operation once; may return before the device has finished.
        finish: waits until all steps so far have finished.
    """

    step: Callable[[], object]
    finish: Callable[[], object] = lambda: None


def rates(what: Mapping[str, Timed], seconds: float) -> dict[str, float]:
    """Measures how many times a second each operation runs; one runs at a time.

    The operations alternate in short slices, so that a machine that slows down slows
    all of them and hardly changes their ratios.

    Args:
        what: operations by name; each is done a few times before its time counts.
        seconds: time to spend on each operation.
    """
    counts, spent = dict.fromkeys(what, 0), dict.fromkeys(what, 0.0)
    for timed in what.values():
        for _ in range(3):
            timed.step()
        timed.finish()
    while min(spent.values()) < seconds:
        for name, timed in what.items():
            began = time.perf_counter()
            end = began + min(_SLICE_SECONDS, seconds)
            while True:
                timed.step()
                counts[name] += 1
                if time.perf_counter() >= end:
                    break
            timed.finish()
            spent[name] += time.perf_counter() - began
    return {name: counts[name] / spent[name] for name in what}
