"""The values that a sweep tries for one field, as the command line writes them."""

import typing
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from experiments import flags
from experiments.flags import OverrideError

MOST = 1_000  # values of a field, and cells of a sweep

SYNTAX = """\
  0.01,0.03,0.1     these values
  '64,64;128,128'   these values of a field that is a list itself, or of a text; quoted,
                    since a shell reads the semicolon otherwise
  0:1:0.1           0, 0.1, ..., 1: from the first number to the second in such steps"""

RANGE_SYNTAX = """\
  0:1               any number between the two, or any integer if the field is one
  1e-5:1e-2:log     such a number, each order of magnitude equally likely"""


class Range(NamedTuple):
    """A range from which Optuna chooses a number; both ends belong to it.

    Attributes:
        low: the lower end, an int for integers.
        high: the upper end, of the same type.
        log: whether each order of magnitude is equally likely.
    """

    low: float
    high: float
    log: bool


def read(annotation: Any, text: str, *, ranges: bool) -> tuple[Any, ...] | Range:
    """The values that `text` lists for a field, or their range.

    A semicolon separates the values, if there is one; else a comma does, except in
    fields that are tuples. A number field may have a range with colons instead.

    Args:
        annotation: the field's type.
        text: as on the command line.
        ranges: whether a range without steps is allowed.

    Raises:
        OverrideError: a value has the wrong type or is there twice, there is none, or a
            range has no values; the message goes after the name of a flag.
    """
    number = _number(annotation)
    if number is not None and ":" in text:
        return _range(number, text, ranges=ranges)
    values = tuple(flags.parse(annotation, item) for item in _items(annotation, text))
    twice = [value for rank, value in enumerate(values) if value in values[:rank]]
    if twice:
        raise OverrideError(
            f"must list each value once, got {flags.show(twice[0])} twice"
        )
    return values


def _items(annotation: Any, text: str) -> list[str]:
    if ";" in text:
        items = text.removesuffix(";").split(";")  # "a,b;" is one value
    else:
        items = [text] if _is_tuple(annotation) else text.split(",")
    items = [item.strip() for item in items]
    if "" in items and len(items) + len(text) > 1:
        raise OverrideError(f"must list values between its separators, got {text!r}")
    return items


def _is_tuple(annotation: Any) -> bool:
    return tuple in (annotation, typing.get_origin(annotation)) or any(
        _is_tuple(each) for each in typing.get_args(annotation) if each is not Ellipsis
    )


def _number(annotation: Any) -> type | None:
    """Whether a field is an int or a float, possibly besides none; None: neither."""
    choices = (annotation, *typing.get_args(annotation))
    if _is_tuple(annotation) or typing.get_origin(annotation) is typing.Literal:
        return None
    return next((each for each in (float, int) if each in choices), None)


def _range(number: type, text: str, *, ranges: bool) -> tuple[Any, ...] | Range:
    parts = text.split(":")
    if len(parts) not in (2, 3):
        raise OverrideError(f"must be low:high:step, got {text!r}")
    low, high = (flags.parse(number, part) for part in parts[:2])
    if low >= high:
        raise OverrideError(f"must go from a lower to a higher number, got {text!r}")
    if parts[2:] in ([], ["log"]):
        return _between(low, high, text, log=bool(parts[2:]), allowed=ranges)
    flags.parse(float, parts[2])
    start, end, step = (Decimal(part.strip()) for part in parts)
    if step <= 0:
        raise OverrideError(f"must have a step above 0, got {text!r}")
    steps = Fraction(end - start) / Fraction(step)
    if steps.denominator != 1:
        raise OverrideError(
            f"must reach {parts[1]} in whole steps of {parts[2]}, got {text!r}"
        )
    if steps >= MOST:
        raise OverrideError(
            f"must have at most {MOST:,} values, got {text!r} with {int(steps) + 1:,}"
        )
    return tuple(
        flags.parse(number, str(start + rank * step)) for rank in range(int(steps) + 1)
    )


def _between(low: Any, high: Any, text: str, *, log: bool, allowed: bool) -> Range:
    if not allowed:
        raise OverrideError(
            f"must have a step, low:high:step, got {text!r}; a range without a step "
            "needs --optuna N"
        )
    if log and low <= 0:
        raise OverrideError(f"must be above 0 for a log range, got {text!r}")
    return Range(low, high, log)
