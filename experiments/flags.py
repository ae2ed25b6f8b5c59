"""Typed overrides of a dataclass's fields: `agent.optimizer.epsilon`, given as text."""

import dataclasses
import re
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from experiments.field_values import (
    DASHES,
    OverrideError,
    Scalar,
    did_you_mean,
    expanded,
    is_keyed,
    nearest,
    parse,
    show,
    type_name,
)
from launch.errors import InvalidSetting

__all__ = [
    "Field",
    "OverrideError",
    "align",
    "asks_help",
    "did_you_mean",
    "field_at",
    "fields",
    "nearest",
    "parse",
    "read",
    "replace",
    "show",
    "type_name",
]


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


def fields(value: Any, prefix: str = "") -> dict[str, Field]:
    """Every scalar or tuple field of a dataclass and its nested dataclasses."""
    hints = typing.get_type_hints(type(value))
    lines = _attribute_lines(type(value))
    found: dict[str, Field] = {}
    for field in dataclasses.fields(value):
        path, current = prefix + _flag(field), getattr(value, field.name)
        if dataclasses.is_dataclass(current):
            found |= fields(current, path + ".")
        else:
            help_line = lines.get(field.name, "")
            found[path] = Field(path, hints[field.name], current, help_line)
    return found


def _flag(field: "dataclasses.Field[Any]") -> str:
    """A field's name in flags; a nested dataclass may share that of a plain field."""
    return field.metadata.get("flag", field.name)


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
            raise OverrideError(_unknown(prefix + path, name, known, prefix))
        if rest:
            nested.setdefault(name, {})[rest] = new
        else:
            direct[name] = new
    # If several fields share a flag, the last one has the nested fields.
    names = {_flag(field): field.name for field in dataclasses.fields(value)}
    for flag, inner in nested.items():
        name = names[flag]
        current = getattr(value, name)
        if isinstance(current, Mapping):  # keyword arguments, of any name
            direct[name] = {**current, **inner}
        else:
            direct[name] = replace(current, inner, f"{prefix}{flag}.")
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
    """The message about a flag, such as "--seeds must be at least 1, got 0".

    A class that checks itself may begin its message with the name of the field, which
    the flag then replaces.
    """
    if message.startswith("--"):
        return message  # it names the flags that matter itself
    names = flag.lstrip("-").split(".")
    for start in range(len(names)):
        own = ".".join(names[start:])
        if message.startswith((f"{own} ", f"{own}:")):
            return flag + message.removeprefix(own)
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

    In a plain argument and in a value that is text, `~` at the beginning is the home
    directory. Hyphens in the name of a flag are underscores. The flag of a bool is true
    without a value. All arguments after `--` are
    plain.

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
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument == "--":
            plain += map(expanded, rest)
            break
        if not argument.startswith("-"):
            _refuse_dash(argument)
            plain.append(expanded(argument))
            continue
        flag, equals, text = argument.partition("=")
        path = flag.removeprefix("--")
        if path.replace("-", "_") in known:
            path = path.replace("-", "_")
        field = field_at(path, known) if flag.startswith("--") else None
        if field is None:
            raise OverrideError(_unknown(flag, path, known, "--"))
        if path in values:
            raise OverrideError(f"{flag} is given twice: give it once")
        alone = not equals and (not rest or rest[0].startswith("--"))
        if alone and field.annotation is bool:
            values[path] = True
            continue
        given = text if equals or alone else rest.pop(0)
        values[path] = _value(flag, field, given, missing=alone)
    return plain, values


def field_at(path: str, known: Mapping[str, Field]) -> Field | None:
    """The field at a path; None if there is none.

    A field that is a mapping has a flag for each of its keys, whatever their names.
    """
    if path in known:
        return known[path]
    owner, _, key = path.rpartition(".")
    keyed = owner in known and is_keyed(known[owner].annotation)
    if not keyed or not key.isidentifier():
        return None
    _, kind = typing.get_args(known[owner].annotation)
    annotation = Scalar if kind is Any else kind
    return Field(path, annotation, known[owner].value.get(key), known[owner].help)


def _value(flag: str, field: Field, text: str, *, missing: bool) -> Any:
    """The value of a flag; only a field whose default is an empty text can be empty."""
    if missing or (text == "" and field.value != ""):
        raise OverrideError(f"{flag} needs a value: {type_name(field.annotation)}")
    try:
        return parse(field.annotation, text)
    except OverrideError as error:
        raise OverrideError(_about(flag, str(error))) from error


def _refuse_dash(argument: str) -> None:
    """Refuses a flag whose hyphens were replaced by a word processor's dashes."""
    name = argument.lstrip("".join(DASHES) + "-")
    if argument[:1] in DASHES and name[:1].isalpha():
        raise OverrideError(
            f"{argument} begins with {DASHES[argument[0]]}: type two hyphens, --{name}"
        )


def _unknown(flag: str, path: str, known: Iterable[str], prefix: str) -> str:
    """The message about an unknown field; the same last name in another place wins."""
    paths = list(known)
    if not paths:
        return f"unknown field {flag}; this command has no fields"
    name = path.rpartition(".")[2]
    same = [other for other in paths if other.rpartition(".")[2] == name]
    longer = [other for other in paths if path and other.startswith(path)]
    sure = same or (longer if len(longer) == 1 else [])
    close = nearest(path, sure or paths) or next(iter(sure), None)
    hint = f"did you mean {prefix}{close}?" if close else "--help lists the fields"
    return f"unknown field {flag}; {hint}"


def align(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Formats rows as lines with aligned columns, without trailing spaces."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def _attribute_lines(cls: type) -> dict[str, str]:
    """The entries of a docstring's `Attributes:` section, one line each."""
    _, _, section = (cls.__doc__ or "").partition("Attributes:\n")
    entries = re.findall(r"^ {8}(\w+): (.+(?:\n {12}.+)*)", section, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}


def asks_help(arguments: Sequence[str]) -> bool:
    """Whether a command line has --help or -h before `--`, if it has that."""
    before = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--help" in before or "-h" in before
