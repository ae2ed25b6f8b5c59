"""Checks of settings; an error states what must hold and which value it got."""

import sys
import traceback
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

_HERE = str(Path(__file__).parent)

# What a user's code may raise. Without SystemExit it could end a run without a reason.
USER_ERRORS = (Exception, SystemExit)


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


class EnvironmentFailed(ValueError):
    """A user's environment cannot be made, or breaks the rules of its interface.

    The message is one line that names the environment and, after it was made, the lane
    and the step. The cause, if any, is the exception that the user's code raised.
    """


def summary(error: BaseException) -> str:
    """An exception of a user's code as one line, with its place in that code."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [each for each in frames if not each.filename.startswith((_HERE, sys.prefix))]
    text = " ".join(str(error).split())
    said = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if not own:
        return said
    return f"{said} ({own[-1].filename}, line {own[-1].lineno})"


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


def check_at_least(field: str, value: int, least: int) -> None:
    """Refuses a value that is too small.

    Args:
        field: dotted path of the field inside an experiment.
        value: the value received.
        least: the smallest valid value.

    Raises:
        InvalidSetting: the value is below `least`.
    """
    if value < least:
        raise InvalidSetting(field, value, f"at least {least}")
