"""Overrides of dataclass fields, on dataclasses made for the purpose."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from agents.parts import checks
from experiments import flags
from experiments.flags import OverrideError
from experiments.verbs.train_arguments import Options


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
    title: str = ""
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
        ({"inner.width": -1.0}, "^--inner.width is -1.0: at least 0$"),
        ({"inner.kind": "green", "inner.width": -1.0}, "^--inner.width is -1.0: at"),
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
    with pytest.raises(OverrideError, match=r"^--inner.width is -1.0: at least"):
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
    with pytest.raises(OverrideError, match=r"^--count is given twice: give it once$"):
        flags.read(["--count", "4", "--loud", "true", *again], known)


def test_a_right_name_in_the_wrong_place_suggests_its_path():
    with pytest.raises(OverrideError, match=r"did you mean --inner.width\?$"):
        flags.read(["--width", "1"], flags.fields(Outer()))


@pytest.mark.parametrize("dash, name", [("\u2013", "an en dash"), ("\u2014", "an em")])
def test_a_dash_pasted_from_a_document_is_named(dash, name):
    with pytest.raises(OverrideError) as refused:
        flags.read([f"{dash}count", "1"], flags.fields(Outer()))
    assert str(refused.value).startswith(f"{dash}count begins with {name}")
    assert str(refused.value).endswith(": type two hyphens, --count")
    assert flags.read([f"{dash}5"], {}) == ([f"{dash}5"], {})


def test_after_two_hyphens_all_arguments_are_plain():
    line = ["--count", "4", "--", "--loud", "-h"]
    assert flags.read(line, flags.fields(Outer())) == (["--loud", "-h"], {"count": 4})
    assert flags.asks_help(["-h", "--"]) and not flags.asks_help(["--", "-h"])


@pytest.mark.parametrize("line", [["--title=~/a b"], ["--title", "~/a b"]])
def test_a_home_directory_is_expanded_in_texts_and_arguments(line, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ü")
    plain, values = flags.read([*line, "~/run"], flags.fields(Outer()))
    assert (plain, values) == (["/home/ü/run"], {"title": "/home/ü/a b"})
    assert flags.read(["./~run"], {}) == (["./~run"], {})


def test_a_home_directory_of_an_unknown_user_is_refused():
    known = flags.fields(Outer())
    message = "there is no user 'nobody7'; write ./~nobody7/x for a file of that name"
    with pytest.raises(OverrideError, match=f"^--title must be a path, but {message}"):
        flags.read(["--title=~nobody7/x"], known)


@pytest.mark.parametrize(
    "line, message",
    [
        (["--title="], None),  # its default is empty as well
        (["--count="], "--count needs a value: int"),
        (["--sizes", ""], "--sizes needs a value: int,..."),
        (["--loud="], "--loud needs a value: bool"),
        (["--count", "--loud", "no"], "--count needs a value: int"),
        (["--loud", "run"], "--loud must be true or false, got 'run'"),
    ],
)
def test_an_empty_value_is_a_missing_value(line, message):
    known = flags.fields(Outer())
    if message is None:
        assert flags.read(line, known) == ([], {"title": ""})
        return
    with pytest.raises(OverrideError) as refused:
        flags.read(line, known)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    "flag, hint",
    [
        ("--xyzzy", "--help lists the fields"),
        ("--inner.w", "did you mean --inner.width?"),
        ("--cuont", "did you mean --count?"),
    ],
)
def test_an_unknown_flag_suggests_only_a_near_name(flag, hint):
    with pytest.raises(OverrideError) as refused:
        flags.read([flag, "1"], flags.fields(Outer()))
    assert str(refused.value) == f"unknown field {flag}; {hint}"


@pytest.mark.parametrize("line", [["--loud"], ["--loud", "--count", "3"]])
def test_the_flag_of_a_bool_is_true_without_a_value(line):
    assert flags.read(line, flags.fields(Outer()))[1]["loud"] is True


@dataclass(frozen=True)
class Keyed:
    """Something with keyword arguments.

    Attributes:
        kwargs: of a constructor.
    """

    kwargs: Mapping[str, Any] = field(default_factory=lambda: {"size": 3})


def test_a_mapping_has_a_flag_for_each_key():
    known = flags.fields(Keyed())
    line = ["--kwargs.size=5", "--kwargs.name", "a b", "--kwargs.deep", "(1,2.5)"]
    _, values = flags.read(line, known)
    assert values == {"kwargs.size": 5, "kwargs.name": "a b", "kwargs.deep": (1, 2.5)}
    changed = flags.replace(Keyed(), values)
    assert changed.kwargs == {"size": 5, "name": "a b", "deep": (1, 2.5)}
    assert Keyed().kwargs == {"size": 3}


@pytest.mark.parametrize(
    "flag, message",
    [
        ("--kwargs=5", "--kwargs: needs the name of a keyword at its end, after a dot"),
        ("--kwargs.a-b=5", "unknown field --kwargs.a-b"),
        ("--other.size=5", "unknown field --other.size"),
    ],
)
def test_a_flag_of_a_mapping_needs_a_key(flag, message):
    with pytest.raises(OverrideError, match=f"^{message}"):
        flags.read([flag], flags.fields(Keyed()))


def test_hyphens_in_the_name_of_a_flag_are_underscores():
    known = flags.fields(Options())
    assert flags.read(["--run-directory", "a-b"], known)[1] == {"run_directory": "a-b"}
    with pytest.raises(OverrideError, match="is given twice"):
        flags.read(["--run-directory=a", "--run_directory", "b"], known)
