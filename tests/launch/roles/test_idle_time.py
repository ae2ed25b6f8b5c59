"""Idle time of actors and learner, with a clock moved by hand."""

import pytest

from launch.roles import idle_time


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
    monkeypatch.setattr(idle_time.time, "monotonic", lambda: clock["now"])
    return clock


@pytest.fixture
def clock(now):
    """A clock that has timed one update."""
    idle = idle_time.IdleClock()
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


def test_actor_and_learner_that_take_turns_wait_for_each_other(now):
    turns = idle_time.Turns()
    now["now"] += 3.0  # acting
    turns.fetched(0.0, Running(now))
    turns.dispatched(Running(now))  # 2 seconds of learning
    now["now"] += 3.0
    turns.fetched(0.0, Running(now))
    turns.dispatched(Running(now))
    now["now"] += 2.0
    assert turns.waiting() == {"learner": 6 / 10, "actor/0": 1 - 6 / 10}
    assert turns.waiting() is None, "a new second has begun"


def test_an_actor_that_acts_under_an_update_waits_only_for_its_end(now):
    turns = idle_time.Turns(overlap=True)
    now["now"] += 3.0  # acting
    turns.fetched(now["now"], Running(now))
    turns.dispatched(Running(now))  # an update in the thread, of 2 seconds
    now["now"] += 1.0  # acting meanwhile
    asked = now["now"]
    now["now"] += 4.0  # waiting for an update that takes longer than others
    turns.fetched(asked, Running(now, ready=False))
    assert turns.waiting() == {"learner": 3 / 10, "actor/0": 4 / 10}


def test_a_learner_without_updates_waits(now):
    turns = idle_time.Turns()
    now["now"] += 5.0
    assert turns.waiting() == {"learner": 1.0, "actor/0": 0.0}


def test_time_spent_neither_acting_nor_learning_is_not_counted(now):
    turns = idle_time.Turns()
    turns.dispatched(Running(now))
    now["now"] += 50.0  # an evaluation
    turns.begin()
    now["now"] += 1.0
    turns.fetched(0.0, Running(now))
    turns.dispatched(Running(now))
    assert turns.waiting() == {"learner": 1 / 3, "actor/0": 1 - 1 / 3}
