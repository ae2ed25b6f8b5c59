"""Values as text: what people type for each type, and what is refused."""

from typing import Literal

import pytest

from experiments import field_values
from experiments.field_values import OverrideError


@pytest.mark.parametrize(
    "annotation, text, value",
    [
        (int, "-3", -3),
        (int, "1_000", 1000),
        (int, "2e6", 2_000_000),
        (float, "3", 3.0),
        (float, "-1e-3", -0.001),
        (float, "-inf", -float("inf")),
        (bool, "True", True),
        (bool, "false", False),
        (bool, "YES", True),
        (bool, "no", False),
        (bool, "1", True),
        (bool, "0", False),
        (str, "none", "none"),
        (float | None, "none", None),
        (float | None, "Null", None),
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
    parsed = field_values.parse(annotation, text)
    assert parsed == value and type(parsed) is type(value)
    assert field_values.parse(annotation, field_values.show(value)) == value


@pytest.mark.parametrize(
    "annotation, text, message",
    [
        (int, "1.5", "must be an integer, got '1.5'; did you mean 2"),
        (int, "inf", "must be an integer and finite, got 'inf'"),
        (int, "-inf", "must be an integer and finite, got '-inf'"),
        (float, "inf", "must be a number and finite, got 'inf'"),
        (float, "nan", "must be a number and finite, got 'nan'"),
        (int, "", "must be an integer, got ''"),
        (float, "1,5", "must be a number, got '1,5'; write 1.5$"),
        (float, "-0,1", "must be a number, got '-0,1'; write -0.1$"),
        (float, "1,2,3", "must be a number, got '1,2,3'$"),
        (int, "12,3456", "must be an integer, got '12,3456'; write 12.3456$"),
        (int, "1,000", "must be an integer, got '1,000'; write 1000 or 1_000"),
        (
            int,
            "\u2013 3",
            "an integer, got '\u2013 3': it begins with an en dash, type - 3",
        ),
        (bool, "ja", "must be true or false, got 'ja'$"),
        (float | None, "non", "must be a number, got 'non'"),
        (Literal["red", "green"], "gren", "did you mean 'green'"),
        (Literal["red", "green"], "blue", "^must be one of red, green, got 'blue'$"),
        (bytes, "x", "a bytes cannot be set from the command line"),
    ],
)
def test_text_of_another_type_is_refused(annotation, text, message):
    with pytest.raises(OverrideError, match=message):
        field_values.parse(annotation, text)


@pytest.mark.parametrize(
    "name, close",
    [("pnog", "pong"), ("PONG", "pong"), ("zzz", None), ("brekout", "breakout")],
)
def test_only_a_similar_name_is_suggested(name, close):
    choices = ["pong", "breakout"]
    assert field_values.nearest(name, choices) == close
    said = f"; did you mean {close!r}?" if close else "; see the list"
    assert field_values.did_you_mean(name, choices, "see the list") == said


def test_without_a_home_directory_a_tilde_is_refused(monkeypatch):
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    with pytest.raises(OverrideError, match="there is no home directory: set HOME"):
        field_values.expanded("~/x")


@pytest.mark.parametrize(
    "text, value",
    [
        ("true", True),
        ("False", False),
        ("none", None),
        ("7", 7),
        ("-1e-3", -1e-3),
        ("a b", "a b"),
        ("'7'", "7"),
        ("(1, 2)", (1, 2)),
        ("[3, 'x']", [3, "x"]),
    ],
)
def test_a_value_of_undeclared_type_is_what_its_spelling_shows(text, value):
    parsed = field_values.parse(field_values.Scalar, text)
    assert parsed == value and type(parsed) is type(value)
