"""Checks of what users set; each names the field, its value, the remedy."""

import dataclasses
import typing
from typing import Any


class UnevenBatch(ValueError):
    """A batch that the devices cannot share out evenly; found where they are."""


def between(name: str, value: float, low: float, high: float) -> None:
    """Raises ValueError unless `low <= value <= high`."""
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}: between {low} and {high}")


def at_least(name: str, value: float, low: float) -> None:
    """Raises ValueError unless `low <= value`."""
    if not value >= low:
        raise ValueError(f"{name} is {value}: at least {low}")


def above(name: str, value: float, low: float) -> None:
    """Raises ValueError unless `low < value`."""
    if not value > low:
        raise ValueError(f"{name} is {value}: above {low}")


def fraction(name: str, value: float) -> None:
    """Raises ValueError unless `0 < value <= 1`."""
    if not 0 < value <= 1:
        raise ValueError(f"{name} is {value}: above 0, at most 1")


def choices(config: Any) -> None:
    """Raises ValueError if a field of a dataclass is none of those its type names.

    A misspelt name would otherwise be the last branch of whoever asks for it.
    """
    hints = typing.get_type_hints(type(config))
    for field in dataclasses.fields(config):
        hint, value = hints[field.name], getattr(config, field.name)
        known = typing.get_args(hint)
        if typing.get_origin(hint) is typing.Literal and value not in known:
            raise ValueError(f"{field.name} is {value!r}: one of {', '.join(known)}")
