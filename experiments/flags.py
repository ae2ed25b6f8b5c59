"""Typed overrides of a dataclass's fields: `agent.optimizer.epsilon`, given as text."""

import ast
import dataclasses
import difflib
import math
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from launch.errors import InvalidSetting


class OverrideError(ValueError):
    """An override that cannot be applied; the message is one line."""


class Scalar:
    """The type of a value that may be true, false, none, a number, a text or a tuple.

    Without quotes, what can be read as another type is that type.
    """


class Field(NamedTuple):
    """A field that can be overridden.

    Attributes:
        path: dotted, such as `agent.optimizer.epsilon`.
        annotation: its type.
        value: its current value.
        help: its entry in the class's docstring, as one line.
    """

    path: str
    annotation: Any
    value: Any
    help: str


def nearest(name: str, choices: Iterable[str]) -> str:
    """The choice most similar to `name`; at least one choice is needed."""
    known = list(choices)
    folded = {choice.lower(): choice for choice in reversed(known)}
    close = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.0)
    return folded[close[0]] if close else known[0]


def fields(value: Any, prefix: str = "") -> dict[str, Field]:
    """Every scalar or tuple field of a dataclass and its nested dataclasses."""
    hints = typing.get_type_hints(type(value))
    lines = _attribute_lines(type(value))
    found: dict[str, Field] = {}
    for field in dataclasses.fields(value):
        path, current = prefix + field.name, getattr(value, field.name)
        if dataclasses.is_dataclass(current):
            found |= fields(current, path + ".")
        else:
            help_line = lines.get(field.name, "")
            found[path] = Field(path, hints[field.name], current, help_line)
    return found


def replace(value: Any, changes: Mapping[str, Any], prefix: str = "") -> Any:
    """A copy of a dataclass with the fields at some dotted paths changed.

    Args:
        value: a dataclass; untouched.
        changes: new values by path.
        prefix: put before a path in messages, such as `--`.

    Raises:
        OverrideError: there is no such field, or a class refuses the values.
    """
    direct: dict[str, Any] = {}
    nested: dict[str, dict[str, Any]] = {}
    for path, new in changes.items():
        name, _, rest = path.partition(".")
        known = [field.name for field in dataclasses.fields(value)]
        if name not in known:
            raise OverrideError(
                f"unknown field {prefix}{path}; "
                f"did you mean {prefix}{nearest(name, known)}?"
            )
        if rest:
            nested.setdefault(name, {})[rest] = new
        else:
            direct[name] = new
    for name, inner in nested.items():
        current = getattr(value, name)
        if isinstance(current, Mapping):  # keyword arguments, of any name
            direct[name] = {**current, **inner}
        else:
            direct[name] = replace(current, inner, f"{prefix}{name}.")
    try:
        return dataclasses.replace(value, **direct)
    except ValueError as error:
        if isinstance(error, InvalidSetting):
            flag = prefix + _path_inside(value, error.field)
            raise OverrideError(error.message(flag)) from error
        wrong = [name for name in direct if _is_refused(value, name, direct[name])]
        paths = ", ".join(
            prefix + path
            for path in changes
            if not wrong or path.partition(".")[0] in wrong
        )
        raise OverrideError(_about(paths, " ".join(str(error).split()))) from error


def _about(flag: str, message: str) -> str:
    """The message about a flag, such as "--seeds must be at least 1, got 0"."""
    return f"{flag} {message}" if message.startswith("must ") else f"{flag}: {message}"


def _path_inside(value: Any, path: str) -> str:
    """The part of a path that begins at a field of `value`; at least its last name.

    A class that is a field of another may call its own fields by longer paths.
    """
    names = path.split(".")
    known = [field.name for field in dataclasses.fields(value)]
    while len(names) > 1 and names[0] not in known:
        del names[0]
    return ".".join(names)


def _is_refused(value: Any, name: str, new: Any) -> bool:
    """Whether a change is invalid alone, not only together with other changes."""
    try:
        dataclasses.replace(value, **{name: new})
    except ValueError:
        return True
    return False


def read(
    arguments: Sequence[str], known: Mapping[str, Field]
) -> tuple[list[str], dict[str, Any]]:
    """Splits a command line into plain arguments and the values of flags.

    Args:
        arguments: such as `["mdqn/pong", "--seed", "3", "--agent.discount=0.9"]`.
        known: the fields that are flags, by path.

    Returns:
        The arguments that belong to no flag, and values by path.

    Raises:
        OverrideError: unknown or repeated flag, missing value or wrong type.
    """
    plain: list[str] = []
    values: dict[str, Any] = {}
    rest = iter(arguments)
    for argument in rest:
        if not argument.startswith("-"):
            plain.append(argument)
            continue
        flag, equals, text = argument.partition("=")
        path = flag.removeprefix("--")
        annotation = _annotation(path, known) if flag.startswith("--") else None
        if annotation is None:
            hint = (
                f"did you mean --{_nearest_path(path, known)}?"
                if known
                else "this command has no fields"
            )
            raise OverrideError(f"unknown field {flag}; {hint}")
        given = text if equals else next(rest, "--")
        wanted = type_name(annotation)
        if path in values:
            raise OverrideError(f"{flag} is given twice")
        if given.startswith("--"):
            raise OverrideError(f"{flag} needs a value: {wanted}")
        try:
            values[path] = parse(annotation, given)
        except OverrideError as error:
            raise OverrideError(_about(flag, str(error))) from error
    return plain, values


def _annotation(path: str, known: Mapping[str, Field]) -> Any:
    """The type of the field at a path; None if there is no such field.

    A field that is a mapping has a flag for each of its keys, whatever their names.
    """
    if path in known:
        return known[path].annotation
    owner, _, key = path.rpartition(".")
    keyed = owner in known and is_keyed(known[owner].annotation)
    return Scalar if keyed and key.isidentifier() else None


def is_keyed(annotation: Any) -> bool:
    """Whether a field is a mapping, whose keys are the last part of its flags."""
    return typing.get_origin(annotation) is Mapping


def _nearest_path(path: str, known: Iterable[str]) -> str:
    """The known path most similar to `path`; paths with the same last name win."""
    paths = list(known)
    name = path.rpartition(".")[2]
    same = [other for other in paths if other.rpartition(".")[2] == name]
    return nearest(path, same or paths)


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


def align(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Formats rows as lines with aligned columns, without trailing spaces."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def parse(annotation: Any, text: str) -> Any:
    """Parses `text` as a value of type `annotation`.

    Raises:
        OverrideError: `text` does not spell a value of the type; for a type with
            choices, the message suggests the nearest.
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
        return _choice(text.lower(), {"true": True, "false": False})
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
    if type(None) in arguments and text.lower() == "none":
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
        listed = ", ".join(choices)
        raise OverrideError(
            f"must be one of {listed}, got {text!r}; "
            f"did you mean {nearest(text, choices)!r}?"
        )
    return choices[text]


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
        raise OverrideError(f"must be {wanted}, got {text!r}") from error
    if not math.isfinite(number):
        raise OverrideError(f"must be {wanted} and finite, got {text!r}")
    return number


_PARSERS: dict[type, Callable[[str], Any]] = {int: _integer, float: _float, str: str}


def _attribute_lines(cls: type) -> dict[str, str]:
    """The entries of a docstring's `Attributes:` section, one line each."""
    _, _, section = (cls.__doc__ or "").partition("Attributes:\n")
    entries = re.findall(r"^ {8}(\w+): (.+(?:\n {12}.+)*)", section, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}


def asks_help(arguments: Sequence[str]) -> bool:
    """Whether a command line has --help or -h at any place."""
    return "--help" in arguments or "-h" in arguments
