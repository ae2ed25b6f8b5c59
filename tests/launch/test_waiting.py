"""The idle clock, with time moved by hand."""

import pytest

from launch import waiting


class Running:
    """A result that is ready when the test says so; an update takes 2 seconds."""

    def __init__(self, clock, ready=True):
        self._clock = clock
        self.ready = ready

    def is_ready(self):
        return self.ready

    def block_until_ready(self):
        self._clock["now"] += 2.0


@pytest.fixture
def now(monkeypatch):
    clock = {"now": 50.0}
    monkeypatch.setattr(waiting.time, "monotonic", lambda: clock["now"])
    return clock


@pytest.fixture
def clock(now):
    """A clock that has timed one update."""
    idle = waiting.IdleClock()
    idle.dispatched(Running(now))
    return idle


def test_batch_that_comes_during_the_update_costs_nothing(clock, now):
    clock.dispatched(Running(now))
    now["now"] += 1.5
    clock.fetched(asked=now["now"] - 1.5, running=Running(now, ready=False))
    assert clock.idle_seconds == 0.0


def test_only_the_time_after_the_update_counts(clock, now):
    began = now["now"]
    clock.dispatched(Running(now))
    now["now"] = began + 7.0  # the update ended at 2
    clock.fetched(asked=began + 0.5, running=Running(now))
    assert clock.idle_seconds == pytest.approx(5.0)


def test_a_wait_that_began_after_the_update_counts_whole(clock, now):
    began = now["now"]
    clock.dispatched(Running(now))
    now["now"] = began + 10.0
    clock.fetched(asked=began + 6.0, running=Running(now))
    assert clock.idle_seconds == pytest.approx(4.0)


def test_reset_begins_a_new_sum(clock, now):
    now["now"] += 100.0
    clock.fetched(asked=now["now"] - 10.0, running=Running(now))
    assert clock.idle_seconds > 0
    clock.reset()
    assert clock.idle_seconds == 0.0
