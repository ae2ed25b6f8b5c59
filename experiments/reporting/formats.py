"""Formats numbers, steps and durations for readers of a report."""

import math
from collections.abc import Sequence

from experiments.reporting.statistics import Estimate

MINUS = "\N{MINUS SIGN}"
NONE = "\N{EN DASH}"
_LONG = 1e9  # from here on, numbers have an exponent


def number(value: float | None) -> str:
    """About four digits: 20.31, 488.7, 10,118, 4e+39; a dash if it is not finite."""
    if value is None or not math.isfinite(value):
        return NONE
    size = abs(value)
    if size >= _LONG:
        return f"{value:.4g}".replace("-", MINUS, value < 0)
    decimals = next(
        (digits for bound, digits in ((1000, 0), (100, 1), (1, 2)) if size >= bound), 3
    )
    text = f"{value:,.{decimals}f}"
    return text.replace("-", MINUS) if float(text.replace(",", "")) else "0"


def interval(estimate: Estimate) -> str:
    """`[low, high]`, or a dash for an estimate without an interval."""
    if estimate.low is None:
        return NONE
    return f"[{number(estimate.low)}, {number(estimate.high)}]"


def quoted(value: float | None) -> str:
    """A published number with all digits of its source; a dash for None."""
    if value is None:
        return NONE
    return f"{value:,.10g}".replace("-", MINUS)


def steps(count: float) -> str:
    """A number of steps: 950, 50k, 1.35M."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= unit:
            return f"{count / unit:.3g}{name}"
    return f"{count:.0f}"


def duration(seconds: float) -> str:
    """Wall time: 48 s, 7 min 5 s, 2 h 14 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def plural(count: int, noun: str) -> str:
    """`1 seed`, `3 seeds`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def enumeration(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
