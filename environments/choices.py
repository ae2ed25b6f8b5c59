"""Names typed by people: accepted as they are, or refused with the nearest one."""

from collections.abc import Sequence
from difflib import SequenceMatcher


def check_choice(field: str, value: str, choices: Sequence[str]) -> None:
    """Refuses a value that is not one of the choices.

    Args:
        field: name of the field, as it is typed on the command line.
        value: the value received.
        choices: the valid values, at least one.

    Raises:
        ValueError: naming the field, the value and the nearest valid choice.
    """
    if value in choices:
        return
    nearest = max(choices, key=lambda choice: _likeness(str(value), choice))
    shown = ", ".join(choices) if len(choices) <= 10 else f"{len(choices)} are known"
    raise ValueError(f"{field} is {value!r}: did you mean {nearest!r}? ({shown})")


def _likeness(value: str, choice: str) -> float:
    return SequenceMatcher(None, value.casefold(), choice.casefold()).ratio()
