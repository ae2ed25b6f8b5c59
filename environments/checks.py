"""Checks of settings; an error states what must hold and which value it got."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any


class InvalidSetting(ValueError):
    """A field of an environment's config has an invalid value.

    `agents` has a class of the same name: neither package may import the other.

    Attributes:
        field: dotted path of the field inside an experiment.
        value: the field's value.
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
        shown = repr(self.value).removesuffix(".0")
        return f"{name} must be {self.wanted}, got {shown}"


def check_choice(field: str, value: str, choices: Sequence[str]) -> None:
    """Refuses a value that is not one of the choices.

    Args:
        field: dotted path of the field inside an experiment.
        value: the value received.
        choices: the valid values, at least one.

    Raises:
        InvalidSetting: the value is not a choice; suggests the nearest, or lists all
            if none is near.
    """
    if value in choices:
        return
    folded = {choice.casefold(): choice for choice in choices}
    close = get_close_matches(str(value).casefold(), folded, n=1)
    if close:
        few = ", ".join(choices) if len(choices) <= 10 else f"{len(choices)} names"
        wanted = f"one of {few} (nearest: {folded[close[0]]!r})"
    else:
        wanted = f"one of {', '.join(choices)}"
    raise InvalidSetting(field, value, wanted)
