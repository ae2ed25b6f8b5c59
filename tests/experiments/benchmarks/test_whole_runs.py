"""What whole runs take: memory, start, imports."""

import math

import pytest
from pytest import approx

from experiments.benchmarks import whole_runs
from experiments.benchmarks.measure import Measurement


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(measured, units):
    """Every figure is a positive number beside a positive limit."""
    assert [one.unit for one in measured] == units
    assert len({one.name for one in measured}) == len(measured)
    for one in measured:
        assert isinstance(one, Measurement)
        for number in (one.value, one.limit, one.ratio):
            assert math.isfinite(number) and number > 0, one
        assert one.ratio == approx(one.value / one.limit)


def test_imports_are_counted_where_they_happen():
    helped, listed, run = measured = whole_runs.imports()
    check(measured, [""] * 3)
    assert "(none of the stack)" in helped.name and helped.value < 400
    assert "(jax)" in listed.name and "(jax)" in run.name
    assert helped.value < listed.value < run.value
