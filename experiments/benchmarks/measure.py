"""A measured figure next to its limit, and how both are timed together."""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from launch.errors import RunFailed

_SLICE_SECONDS = 0.25


class BenchFailed(RunFailed):
    """What was to be measured ended by itself; the message says how."""


class Measurement(NamedTuple):
    """A figure next to its limit, from the same run.

    Attributes:
        name: of the figure.
        value: measured.
        limit: what it could be at best, or may be at most.
        ratio: value / limit.
        unit: of value and limit.
        least: the ratio is to be at least that; None: it is not.
        most: the ratio is to be at most that; None: it is not.
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
        """The ratio that is aimed at, in words."""
        if self.least is not None:
            return f"at least {self.least:g}"
        return "" if self.most is None else f"at most {self.most:g}"

    @property
    def met(self) -> bool | None:
        """Whether the aim is met; None without one."""
        if self.least is not None:
            return self.ratio >= self.least
        return None if self.most is None else self.ratio <= self.most


def share(
    name: str, value: float, ideal: float, unit: str, least: float | None = None
) -> Measurement:
    """A figure next to what it could be at best."""
    return Measurement(name, value, ideal, value / ideal, unit, least=least)


def cost(name: str, value: float, allowed: float, unit: str) -> Measurement:
    """A figure next to what it may be at most."""
    return Measurement(name, value, allowed, value / allowed, unit, most=1.0)


class Timed(NamedTuple):
    """Something that is done again and again.

    Attributes:
        step: does it once, or begins to.
        finish: waits until all that was begun is done.
    """

    step: Callable[[], object]
    finish: Callable[[], object] = lambda: None


def rates(what: Mapping[str, Timed], seconds: float) -> dict[str, float]:
    """How often a second each can be done, alone on the machine.

    They take turns in short slices: a machine that slows down slows all of them down,
    and leaves their ratios alone.

    Args:
        what: by name; each is done a few times before its time counts.
        seconds: for each of them.
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
