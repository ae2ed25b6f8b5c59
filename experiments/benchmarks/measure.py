"""Measured figures with their limits, and measurements that take turns."""

import math
import operator
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from experiments.benchmarks import others_cpu
from launch.errors import RunFailed

_SLICE_SECONDS = 0.25
_TURN_SECONDS = 1.0
_LEAST_TURNS = 3

Rates = Mapping[str, float]  # rates per second by name
Measure = Callable[[float], Rates]  # measures each rate for that number of seconds


class BenchFailed(RunFailed):
    """The measured process ended by itself; the message describes how."""


class Measurement(NamedTuple):
    """A figure with its limit, measured in the same benchmark run.

    Attributes:
        name: name of the figure.
        value: the measured value; the mean of all turns.
        limit: the best possible value, or the largest allowed value.
        ratio: value / limit.
        unit: unit of value and limit.
        least: lower bound of the ratio that the project aims at; None: no bound.
        most: upper bound of the ratio that the project aims at; None: no bound.
        lowest: the lowest ratio of a turn; None: it was measured only once.
        highest: the highest ratio of a turn; None: it was measured only once.
        turns: how often value and limit were measured, one after the other.
        others: cores that other processes used meanwhile; None: they do not change
            the value, such as a number of bytes.
    """

    name: str
    value: float
    limit: float
    ratio: float
    unit: str
    least: float | None = None
    most: float | None = None
    lowest: float | None = None
    highest: float | None = None
    turns: int = 1
    others: float | None = None

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

    @property
    def disturbed(self) -> bool:
        """Whether other processes used so much CPU that the figure means little."""
        return self.others is not None and self.others > others_cpu.MOST


class Turns(NamedTuple):
    """Rates that were measured in turns.

    Attributes:
        rates: the rates of each turn.
        others: cores that other processes used meanwhile.
    """

    rates: Sequence[Rates]
    others: float


def compared(
    name: str,
    turns: Turns,
    value: str | Callable[[Rates], float],
    limit: str | Callable[[Rates], float],
    unit: str,
    least: float | None = None,
    most: float | None = None,
) -> Measurement:
    """Makes a figure of rates that were measured in turns.

    Args:
        name: name of the figure.
        turns: the rates.
        value: computes the value from the rates of a turn; or the name of a rate.
        limit: the same for the limit.
        unit: unit of value and limit.
        least: see `Measurement`.
        most: see `Measurement`.
    """
    values, limits = (_of_each(turn, turns) for turn in (value, limit))
    ratios = [one / best for one, best in zip(values, limits, strict=True)]
    mean, best = statistics.fmean(values), statistics.fmean(limits)
    return Measurement(
        name,
        mean,
        best,
        mean / best,
        unit,
        least,
        most,
        lowest=min(ratios),
        highest=max(ratios),
        turns=len(ratios),
        others=turns.others,
    )


def _of_each(wanted: str | Callable[[Rates], float], turns: Turns) -> list[float]:
    pick = operator.itemgetter(wanted) if isinstance(wanted, str) else wanted
    return [pick(rates) for rates in turns.rates]


def share(name: str, value: float, whole: float, unit: str) -> Measurement:
    """Makes a figure that is a part of a whole."""
    return Measurement(name, value, whole, value / whole, unit)


def cost(
    name: str, value: float, allowed: float, unit: str, others: float | None = None
) -> Measurement:
    """Makes a figure whose limit is the largest allowed value."""
    ratio = value / allowed
    return Measurement(name, value, allowed, ratio, unit, most=1.0, others=others)


def take_turns(
    measures: Sequence[Measure],
    seconds: float,
    turn_seconds: float = _TURN_SECONDS,
) -> Turns:
    """Measures rates in turns.

    A machine that slows down slows all of them and hardly changes their ratios.

    Args:
        measures: measure different rates.
        seconds: time to spend on each rate, in all turns together.
        turn_seconds: the longest turn of a rate, if that makes at least three turns.
    """
    number = max(_LEAST_TURNS, math.ceil(seconds / turn_seconds))
    turns, others = [], others_cpu.OthersCpu()
    for _ in range(number):
        found: dict[str, float] = {}
        for measure in measures:
            found |= measure(seconds / number)
        turns.append(found)
    return Turns(turns, others.cores())


def one_by_one(what: Mapping[str, Callable[[float], float]]) -> Measure:
    """Makes a measure of several rates, one after the other.

    Args:
        what: by the name of the rate, a function that measures it for some seconds.
    """
    return lambda seconds: {name: one(seconds) for name, one in what.items()}


class Timed(NamedTuple):
    """An operation to time by repeating it.

    Attributes:
        step: does the operation once; may return before the device has finished.
        finish: waits until all steps so far have finished.
    """

    step: Callable[[], object]
    finish: Callable[[], object] = lambda: None


def timed_turns(what: Mapping[str, Timed], seconds: float) -> Turns:
    """Measures in turns how many times a second each operation runs.

    Args:
        what: operations by name.
        seconds: time to spend on each operation.
    """
    return take_turns([lambda turn: rates(what, turn)], seconds)


def rates(what: Mapping[str, Timed], seconds: float) -> dict[str, float]:
    """Measures how many times a second each operation runs; one runs at a time.

    The operations alternate in short slices.

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
