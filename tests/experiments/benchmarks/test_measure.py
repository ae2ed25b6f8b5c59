"""Figures with their targets, and the measurement of rates."""

import pytest
from pytest import approx

from experiments.benchmarks import measure
from experiments.benchmarks.measure import Timed


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Clock:
    """Time that passes only while something is done."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(measure.time, "perf_counter", lambda: self.now)

    def takes(self, seconds):
        def spend():
            self.now += seconds

        return spend


def test_rates_are_counts_over_time_including_the_wait_to_finish(monkeypatch):
    clock = Clock(monkeypatch)
    what = {
        "fast": Timed(clock.takes(0.01)),
        "slow": Timed(clock.takes(0.05)),
        "late": Timed(clock.takes(0.01), clock.takes(0.25)),  # like a device's work
    }
    rates = measure.rates(what, seconds=2.0)
    assert rates["fast"] == approx(100)
    assert rates["slow"] == approx(20)
    assert rates["late"] == approx(50, rel=0.05)


def test_warming_up_does_not_count(monkeypatch):
    clock, durations = Clock(monkeypatch), [50.0, 9.0, 9.0]

    def step():
        clock.now += durations.pop(0) if durations else 0.1

    assert measure.rates({"a": Timed(step)}, 1.0)["a"] == approx(10)


@pytest.mark.parametrize(
    "one, wanted, met",
    [
        (measure.share("a", 9.0, 10.0, "s", least=0.9), "at least 0.9", True),
        (measure.share("a", 8.9, 10.0, "s", least=0.9), "at least 0.9", False),
        (measure.share("a", 1.0, 10.0, "s"), "", None),
        (measure.cost("a", 8.0, 8.0, "s"), "at most 1", True),
        (measure.cost("a", 8.1, 8.0, "s"), "at most 1", False),
    ],
)
def test_a_figure_knows_whether_it_meets_its_target(one, wanted, met):
    assert (one.wanted, one.met) == (wanted, met)
