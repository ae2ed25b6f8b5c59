"""Checks of settings; an error says what must hold and which value was given."""

import dataclasses
import math
import typing
from typing import Any

_MOST_STEPS = 2**31 - 1


class InvalidSetting(ValueError):
    """A field of a configuration has an invalid value.

    Attributes:
        field: dotted path of the field inside the agent's configuration.
        value: the invalid value.
        wanted: what the value must be, such as "at least 0".
    """

    def __init__(self, field: str, value: Any, wanted: str):
        super().__init__(field, value, wanted)
        self.field = field
        self.value = value
        self.wanted = wanted

    def __str__(self) -> str:
        return self.message(self.field)

    def message(self, name: str) -> str:
        """The message with another name for the field, such as its flag."""
        return f"{name} must be {self.wanted}, got {_shown(self.value)}"


def between(field: str, value: float, low: float, high: float) -> None:
    """Raises InvalidSetting unless `low <= value <= high`."""
    if not low <= value <= high:
        wanted = f"between {_shown(low)} and {_shown(high)}"
        if low == -math.inf:
            wanted = f"at most {_shown(high)}"
        raise InvalidSetting(field, value, wanted)


def at_least(field: str, value: float, low: float) -> None:
    """Raises InvalidSetting unless `low <= value`."""
    if not value >= low:
        raise InvalidSetting(field, value, f"at least {_shown(low)}")


def steps(field: str, value: int, least: int) -> None:
    """Raises InvalidSetting unless `value` is from `least` to the largest int32.

    Learners and actors count steps in int32.
    """
    at_least(field, value, least)
    if value > _MOST_STEPS:
        raise InvalidSetting(field, value, f"at most {_MOST_STEPS:,}")


def at_most(field: str, value: float, high: float) -> None:
    """Raises InvalidSetting unless `value` is finite and `value <= high`."""
    if not -math.inf < value <= high:
        raise InvalidSetting(field, value, f"finite and at most {_shown(high)}")


def above(field: str, value: float, low: float) -> None:
    """Raises InvalidSetting unless `low < value`."""
    if not value > low:
        raise InvalidSetting(field, value, f"above {_shown(low)}")


def fraction(field: str, value: float) -> None:
    """Raises InvalidSetting unless `0 < value <= 1`."""
    if not 0 < value <= 1:
        raise InvalidSetting(field, value, "above 0 and at most 1")


def parts(parts: int, batch_size: int) -> None:
    """Raises InvalidSetting unless a batch has so many equal parts; 0: chosen later."""
    at_least("parts", parts, 0)
    if parts and batch_size % parts:
        raise InvalidSetting("parts", parts, f"a divisor of batch_size {batch_size}")


def choices(config: Any) -> None:
    """Raises InvalidSetting if a field has a value that its type does not name.

    Without this check a misspelt name would take the last branch of every `if`.

    Args:
        config: a dataclass.
    """
    hints = typing.get_type_hints(type(config))
    for field in dataclasses.fields(config):
        hint, value = hints[field.name], getattr(config, field.name)
        known = typing.get_args(hint)
        if typing.get_origin(hint) is typing.Literal and value not in known:
            raise InvalidSetting(field.name, value, f"one of {', '.join(known)}")


def _shown(value: Any) -> str:
    """A value as people write it: 1, not 1.0."""
    return repr(value).removesuffix(".0")
