"""Values of fields as text: types as help shows them, and text as people type it."""

import ast
import difflib
import math
import os
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

# Hyphens that word processors put into documents; no program reads them as a hyphen.
DASHES = {
    "\u2010": "a typographic hyphen",
    "\u2011": "a typographic hyphen",
    "\u2012": "a figure dash",
    "\u2013": "an en dash",
    "\u2014": "an em dash",
    "\u2212": "a typographic minus sign",
}
_CUTOFF = 0.6  # similarity below which a suggestion is nonsense
_BOOLS = {
    "true": True,
    "yes": True,
    "1": True,
    "false": False,
    "no": False,
    "0": False,
}
_NONE = ("none", "null")


class OverrideError(ValueError):
    """An override that cannot be applied; the message is one line."""


class Scalar:
    """The type of a value that may be true, false, none, a number, a text or a tuple.

    Without quotes, what can be read as another type is that type.
    """


def nearest(name: str, choices: Iterable[str]) -> str | None:
    """The choice most similar to `name`; None if none is near."""
    folded = {choice.lower(): choice for choice in reversed(list(choices))}
    close = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=_CUTOFF)
    return folded[close[0]] if close else None


def did_you_mean(name: str, choices: Iterable[str], otherwise: str = "") -> str:
    """The end of a message about an unknown name.

    Args:
        name: the unknown name.
        choices: the known ones.
        otherwise: what to write if none is near, such as "`--help` lists them".

    Returns:
        Such as "; did you mean 'pong'?"; empty if there is nothing to write.
    """
    close = nearest(name, choices)
    if close is not None:
        return f"; did you mean {close!r}?"
    return f"; {otherwise}" if otherwise else ""


def expanded(path: str) -> str:
    """A path in which `~` or `~user` at the beginning is a home directory.

    The shell leaves `--runs=~/x` as it is.

    Raises:
        OverrideError: there is no such user, or no home directory.
    """
    if not path.startswith("~"):
        return path
    found = os.path.expanduser(path)
    if found == path:
        user = path[1:].partition("/")[0]
        missing = f"no user {user!r}" if user else "no home directory: set HOME"
        raise OverrideError(
            f"must be a path, but there is {missing}; write ./{path} for a file of "
            f"that name, got {path!r}"
        )
    return found


def is_keyed(annotation: Any) -> bool:
    """Whether a field is a mapping, whose keys are the last part of its flags."""
    return typing.get_origin(annotation) is Mapping


def type_name(annotation: Any) -> str:
    """A type as the command line's help shows it."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is Scalar or is_keyed(annotation):
        return "value"
    if origin is Literal:
        return "|".join(map(str, arguments))
    if origin is tuple:
        return f"{type_name(arguments[0])},..."
    if origin in (typing.Union, types.UnionType):
        return "|".join(map(type_name, arguments))
    return "none" if annotation is type(None) else annotation.__name__


def show(value: Any) -> str:
    """Formats a value so that `parse` reads it back."""
    if isinstance(value, Mapping):
        return " ".join(f"{key} {show(item)}" for key, item in value.items())
    if isinstance(value, tuple):
        return ",".join(map(show, value)) or "()"
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return str(value)


def parse(annotation: Any, text: str) -> Any:
    """Parses `text` as a value of type `annotation`.

    Raises:
        OverrideError: `text` does not spell a value of the type; for a type with
            choices, the message suggests the nearest if one is near.
    """
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is Scalar:
        return _scalar(text)
    if is_keyed(annotation):
        raise OverrideError("needs the name of a keyword at its end, after a dot")
    if origin is Literal:
        return _choice(text, {str(argument): argument for argument in arguments})
    if origin is tuple:
        inner = text.strip().strip("()[]")
        items = [item for item in inner.split(",") if item.strip()]
        return tuple(parse(arguments[0], item.strip()) for item in items)
    if origin in (typing.Union, types.UnionType):
        return _parse_union(arguments, text)
    if annotation is bool:
        return _bool(text)
    if annotation in _PARSERS:
        return _PARSERS[annotation](text)
    raise OverrideError(
        f"a {type_name(annotation)} cannot be set from the command line"
    )


def _scalar(text: str) -> Any:
    """A value whose type nothing declares, from its spelling."""
    words = {"true": True, "false": False, "none": None, "null": None}
    if text.lower() in words:
        return words[text.lower()]
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


def _parse_union(arguments: tuple[Any, ...], text: str) -> Any:
    if type(None) in arguments and text.lower() in _NONE:
        return None
    rest = [argument for argument in arguments if argument is not type(None)]
    for argument in rest[:-1]:
        try:
            return parse(argument, text)
        except OverrideError:
            continue  # the error of the last type is shown
    return parse(rest[-1], text)


def _choice(text: str, choices: Mapping[str, Any]) -> Any:
    if text not in choices:
        hint = did_you_mean(text, choices)
        raise OverrideError(f"must be one of {', '.join(choices)}, got {text!r}{hint}")
    return choices[text]


def _bool(text: str) -> bool:
    if text.lower() not in _BOOLS:
        raise OverrideError(f"must be true or false, got {text!r}")
    return _BOOLS[text.lower()]


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        number = _float(text, "an integer")  # 1e6 is an integer
    if not number.is_integer():
        raise OverrideError(
            f"must be an integer, got {text!r}; did you mean {round(number)}?"
        )
    return int(number)


def _float(text: str, wanted: str = "a number") -> float:
    try:
        number = float(text)
    except ValueError as error:
        raise OverrideError(f"must be {wanted}, got {text!r}{_remedy(text)}") from error
    # -inf stands for no lower bound, as in the defaults of soft_dqn; configurations
    # refuse it in all other fields.
    if not math.isfinite(number) and (number != -math.inf or wanted == "an integer"):
        raise OverrideError(f"must be {wanted} and finite, got {text!r}")
    return number


def _remedy(text: str) -> str:
    """What to type instead of a text that is not a number; empty if unknown."""
    if text[:1] in DASHES:
        return f": it begins with {DASHES[text[0]]}, type -{text[1:]}"
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+", text):  # commas between thousands
        return f"; write {text.replace(',', '')} or {text.replace(',', '_')}"
    if re.fullmatch(r"[+-]?\d+,\d+", text):
        return f"; write {text.replace(',', '.')}"
    return ""


_PARSERS: dict[type, Callable[[str], Any]] = {
    int: _integer,
    float: _float,
    str: expanded,
}
