"""Properties that every benchmark figure must have."""

import math

from pytest import approx

from experiments.benchmarks.measure import Measurement


def check(measured, units):
    """Asserts that every figure and its limit are finite and positive."""
    assert [one.unit for one in measured] == units
    assert len({one.name for one in measured}) == len(measured)
    for one in measured:
        assert isinstance(one, Measurement)
        for number in (one.value, one.limit, one.ratio):
            assert math.isfinite(number) and number > 0, one
        assert one.ratio == approx(one.value / one.limit)
