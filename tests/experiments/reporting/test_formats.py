"""Numbers and durations, as people read them."""

import pytest

from experiments.reporting import formats


@pytest.mark.parametrize(
    "value, text",
    [
        (10118, "10,118"),
        (488.69, "488.7"),
        (-21.0, f"{formats.MINUS}21.00"),
        (0.98765, "0.988"),
        (-0.0001, "0"),
        (0, "0"),
        (4e39, "4e+39"),
        (-1.23456e9, f"{formats.MINUS}1.235e+09"),
        (1.5e-300, "0"),
        (None, formats.NONE),
        (float("nan"), formats.NONE),
    ],
)
def test_numbers_have_about_four_digits(value, text):
    assert formats.number(value) == text


@pytest.mark.parametrize(
    "seconds, text", [(59.4, "59 s"), (425, "7 min 5 s"), (8061, "2 h 14 min")]
)
def test_durations_have_two_units(seconds, text):
    assert formats.duration(seconds) == text
