"""The values that a sweep lists for one field."""

from typing import Literal

import pytest

from experiments.flags import OverrideError
from experiments.verbs.sweep_values import Range, read

SIZES = tuple[int, ...]


@pytest.mark.parametrize(
    "annotation, text, values",
    [
        (float, "0.01,3e-2", (0.01, 0.03)),
        (float, "0.5", (0.5,)),
        (float, "-1, 0", (-1.0, 0.0)),
        (int, "1e3,7", (1000, 7)),
        (float | None, "none,0.5", (None, 0.5)),
        (bool, "true,false", (True, False)),
        (Literal["huber", "squared"], "squared,huber", ("squared", "huber")),
        (str, "a,b", ("a", "b")),
        (str, "module:Name,other:Name", ("module:Name", "other:Name")),
        (str, "a,b;c", ("a,b", "c")),
        (str, "a,b;", ("a,b",)),
        (str, "", ("",)),
        (SIZES, "64,32", ((64, 32),)),
        (SIZES, "64,32;7;()", ((64, 32), (7,), ())),
        (SIZES | None, "64,32;none", ((64, 32), None)),
    ],
)
def test_a_list_of_values_has_the_fields_type(annotation, text, values):
    assert read(annotation, text, ranges=False) == values


@pytest.mark.parametrize(
    "annotation, text, values",
    [
        (float, "0:1:0.1", (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1)),
        (float, "-0.3:0.3:0.3", (-0.3, 0.0, 0.3)),
        (float, "1e-3:3e-3:1e-3", (0.001, 0.002, 0.003)),
        (int, "3:11:4", (3, 7, 11)),
        (float | None, "0:1:0.5", (0.0, 0.5, 1.0)),
    ],
)
def test_a_range_has_both_ends_and_decimal_steps(annotation, text, values):
    assert read(annotation, text, ranges=False) == values


@pytest.mark.parametrize(
    "annotation, text, message",
    [
        (float, "0.1,x", "must be a number, got 'x'"),
        (int, "1,2.5", "must be an integer, got '2.5'"),
        (float, "", "must be a number, got ''"),
        (float, ",", "must list values between its separators, got ','"),
        (SIZES, "64;;32", "must list values between its separators, got '64;;32'"),
        (float, "1,0.5,1.0", "must list each value once, got 1.0 twice"),
        (float, "1:0:0.1", "must go from a lower to a higher number, got '1:0:0.1'"),
        (float, "1:1:0.1", "must go from a lower to a higher number, got '1:1:0.1'"),
        (float, "0:1:-0.1", "must have a step above 0, got '0:1:-0.1'"),
        (float, "0:1:0", "must have a step above 0, got '0:1:0'"),
        (float, "0:1:0.3", "must reach 1 in whole steps of 0.3, got '0:1:0.3'"),
        (int, "0:5:2.5", "must be an integer, got '2.5'"),
        (float, "0:1:1e-9", "at most 1,000 values, got '0:1:1e-9' with 1,000,000,001"),
        (float, "0:nan:1", "must be a number and finite, got 'nan'"),
        (float, "0:1:2:3", "must be low:high:step, got '0:1:2:3'"),
        (float, "0:1", "a range without a step needs --optuna N"),
        (float, "0.1:1:log", "a range without a step needs --optuna N"),
    ],
)
def test_what_lists_no_values_is_refused(annotation, text, message):
    with pytest.raises(OverrideError) as caught:
        read(annotation, text, ranges=False)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_optuna_may_choose_from_a_range_without_steps():
    assert read(float, "0:1", ranges=True) == Range(0.0, 1.0, log=False)
    assert read(float, "1e-5:1e-2:log", ranges=True) == Range(1e-5, 1e-2, log=True)
    low, high, _ = read(int, "2:9", ranges=True)
    assert (low, high) == (2, 9) and type(low) is int
    assert read(float, "0:1:0.5", ranges=True) == (0.0, 0.5, 1.0)
    with pytest.raises(OverrideError, match="must be above 0 for a log range"):
        read(float, "0:1:log", ranges=True)
