"""Overrides of dataclass fields, on dataclasses made for the purpose."""

from dataclasses import dataclass, field
from typing import Literal

import pytest

from agents.parts import checks
from experiments import flags
from experiments.flags import OverrideError


@dataclass(frozen=True)
class Inner:
    """Something nested.

    Attributes:
        width: how wide, a long story
            over two lines.
        kind: which.
    """

    width: float = 1.5
    kind: Literal["red", "green"] = "red"

    def __post_init__(self):
        if self.width < 0:
            raise ValueError(f"width is {self.width}:\n  at least 0")
        if self.kind == "green" and self.width > 9:
            raise ValueError("green is narrow")


@dataclass(frozen=True)
class Room:
    """Its check names the field by a longer path, from an outer class."""

    height: float = 2.0

    def __post_init__(self):
        checks.at_least("inner.room.height", self.height, 0)


@dataclass(frozen=True)
class Outer:
    inner: Inner = Inner()
    count: int = 3
    sizes: tuple[int, ...] = (7, 5)
    limit: float | None = None
    loud: bool = False
    title: str = "x"
    room: Room = Room()

    def __post_init__(self):
        checks.at_least("count", self.count, 0)
        checks.between("room.height", self.room.height, 0, 100)


def test_fields_are_flat_typed_and_described():
    found = flags.fields(Outer(), "top.")
    assert list(found) == [
        "top.inner.width",
        "top.inner.kind",
        "top.count",
        "top.sizes",
        "top.limit",
        "top.loud",
        "top.title",
        "top.room.height",
    ]
    assert found["top.inner.width"] == flags.Field(
        "top.inner.width", float, 1.5, "how wide, a long story over two lines."
    )
    assert [flags.type_name(field.annotation) for field in found.values()] == [
        "float",
        "red|green",
        "int",
        "int,...",
        "float|none",
        "bool",
        "str",
        "float",
    ]


@pytest.mark.parametrize(
    "annotation, text, value",
    [
        (int, "-3", -3),
        (int, "1_000", 1000),
        (int, "2e6", 2_000_000),
        (float, "3", 3.0),
        (float, "-1e-3", -0.001),
        (bool, "True", True),
        (bool, "false", False),
        (str, "none", "none"),
        (float | None, "none", None),
        (float | None, "0.5", 0.5),
        (tuple[int, ...], "64,32", (64, 32)),
        (tuple[int, ...], "(64, 32,)", (64, 32)),
        (tuple[int, ...], "()", ()),
        (tuple[float, ...], "1", (1.0,)),
        (Literal["red", "green"], "green", "green"),
        (Literal[1, 2], "2", 2),
    ],
)
def test_text_becomes_a_value_of_the_type(annotation, text, value):
    parsed = flags.parse(annotation, text)
    assert parsed == value and type(parsed) is type(value)
    assert flags.parse(annotation, flags.show(value)) == value


@pytest.mark.parametrize(
    "annotation, text, message",
    [
        (int, "1.5", "must be an integer, got '1.5'; did you mean 2"),
        (int, "inf", "must be an integer and finite, got 'inf'"),
        (int, "", "must be an integer, got ''"),
        (float, "1,5", "must be a number, got '1,5'"),
        (bool, "yes", "must be one of true, false, got 'yes'"),
        (float | None, "non", "must be a number, got 'non'"),
        (Literal["red", "green"], "gren", "did you mean 'green'"),
        (bytes, "x", "a bytes cannot be set from the command line"),
    ],
)
def test_text_of_another_type_is_refused(annotation, text, message):
    with pytest.raises(OverrideError, match=message):
        flags.parse(annotation, text)


def test_replace_changes_the_named_fields_of_a_copy():
    base = Outer()
    changed = flags.replace(base, {"inner.width": 2.5, "count": 4})
    assert changed == Outer(inner=Inner(width=2.5), count=4)
    assert base == Outer()


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"cuont": 1}, r"^unknown field --cuont; did you mean --count\?$"),
        ({"inner.with": 1.0}, r"^unknown field --inner.with; .* --inner.width\?$"),
        ({"inner.width": -1.0}, "^--inner.width: width is -1.0: at least 0$"),
        ({"inner.kind": "green", "inner.width": -1.0}, "^--inner.width: width is -1.0"),
        ({"inner.kind": "green", "inner.width": 10.0}, "^--inner.kind, --inner.width:"),
        ({"count": -1, "loud": True}, "^--count must be at least 0, got -1$"),
        ({"room.height": -1.5}, "^--room.height must be at least 0, got -1.5$"),
        ({"room.height": 101.0}, "^--room.height must be between 0 and 100, got 101$"),
    ],
)
def test_replace_refuses_in_one_line(changes, message):
    with pytest.raises(OverrideError, match=message):
        flags.replace(Outer(), changes, "--")


@dataclass(frozen=True)
class Shared:
    inner: str = ""
    more: Inner = field(default=Inner(), metadata={"flag": "inner"})


def test_a_nested_class_may_share_the_flag_of_a_plain_field():
    known = flags.fields(Shared())
    assert list(known) == ["inner", "inner.width", "inner.kind"]
    _, values = flags.read(["--inner", "a", "--inner.width=3"], known)
    assert flags.replace(Shared(), values) == Shared("a", Inner(width=3.0))
    assert flags.replace(Shared(), {"inner": "b"}) == Shared("b")
    with pytest.raises(OverrideError, match=r"^--inner.width: width is -1.0: at least"):
        flags.replace(Shared(), {"inner.width": -1.0}, "--")


def test_read_separates_flags_from_arguments():
    known = flags.fields(Outer())
    line = ["one", "--count", "-4", "two", "--inner.width=-2.5", "--title=a=b"]
    plain, values = flags.read(line, known)
    assert plain == ["one", "two"]
    assert values == {"count": -4, "inner.width": -2.5, "title": "a=b"}


@pytest.mark.parametrize("again", [["--count", "5"], ["--count=4"]])
def test_a_repeated_flag_is_refused(again):
    known = flags.fields(Outer())
    with pytest.raises(OverrideError, match=r"^--count is given twice$"):
        flags.read(["--count", "4", "--loud", "true", *again], known)


def test_a_right_name_in_the_wrong_place_suggests_its_path():
    with pytest.raises(OverrideError, match=r"did you mean --inner.width\?$"):
        flags.read(["--width", "1"], flags.fields(Outer()))
