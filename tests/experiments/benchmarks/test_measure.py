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


def figure(rate, **targets):
    turns = measure.Turns([{"one": rate, "best": 10.0}], 0.0)
    return measure.compared("a", turns, "one", "best", "s", **targets)


@pytest.mark.parametrize(
    "one, wanted, met",
    [
        (figure(9.0, least=0.9), "at least 0.9", True),
        (figure(8.9, least=0.9), "at least 0.9", False),
        (figure(8.9, most=0.9), "at most 0.9", True),
        (figure(9.1, most=0.9), "at most 0.9", False),
        (measure.share("a", 1.0, 10.0, "s"), "", None),
        (measure.cost("a", 8.0, 8.0, "s"), "at most 1", True),
        (measure.cost("a", 8.1, 8.0, "s"), "at most 1", False),
    ],
)
def test_a_figure_knows_whether_it_meets_its_target(one, wanted, met):
    assert (one.wanted, one.met) == (wanted, met)


def test_a_comparison_has_means_and_the_spread_of_the_turns_ratios():
    turns = measure.Turns(
        [{"one": 30.0, "best": 40.0}, {"one": 10.0, "best": 50.0}], others=0.3
    )
    found = measure.compared("a", turns, "one", lambda rate: 2 * rate["best"], "s")
    assert (found.value, found.limit, found.ratio) == (20, 90, approx(2 / 9))
    assert (found.lowest, found.highest, found.turns) == (0.1, 0.375, 2)
    assert found.others == 0.3 and found.disturbed
    assert not found._replace(others=0.2).disturbed
    assert not found._replace(others=None).disturbed


@pytest.mark.parametrize("seconds, turns", [(0.3, 3), (4.2, 3), (7.5, 4)])
def test_measures_take_turns_at_least_three_times(seconds, turns):
    asked = []

    def named(name):
        def measured(each):
            asked.append((name, each))
            return {name: float(len(asked))}

        return measured

    found = measure.take_turns([named("a"), named("b")], seconds, turn_seconds=2.0)
    each = approx(seconds / turns)
    assert asked == [("a", each), ("b", each)] * turns
    assert found.rates == [{"a": 2.0 * i + 1, "b": 2.0 * i + 2} for i in range(turns)]
    assert found.others >= 0
