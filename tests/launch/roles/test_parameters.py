"""Which parameters actors fetch from the learner, and how often."""

import threading
from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from launch.errors import Stopped
from launch.roles import parameters
from launch.roles.parameters import Parameters, network_names
from tests.agents.cases import VECTORS, make


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mdqn", ["q"]),
        ("miqn", ["z"]),
        ("momentum_dqn", ["h"]),
        ("md_direct", ["policy"]),
        ("deep_cpi", ["policy"]),
        ("dvw_mdqn", ["q"]),
    ],
)
def test_only_the_networks_of_the_policy_are_fetched(name, expected):
    assert network_names(make(name), VECTORS) == expected


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(parameters.time, "monotonic", lambda: now.seconds)
    return now


class Learner:
    """Answers, when the test calls `answer`, with the number of requests."""

    def __init__(self):
        self.asked = 0
        self.open = []

    def begin(self, method, names):
        assert (method, names) == ("get_variables", ["q"])
        self.asked += 1
        self.open.append(Future())
        if self.asked == 1:
            self.answer()  # the constructor waits for it
        return self.open[-1]

    def answer(self):
        self.open[-1].set_result((7, [float(self.asked)]))


@pytest.mark.parametrize(
    "took, blocked, due", [(0.05, 30.0, 1.0), (0.001, 2.0, 0.2), (60.0, 0.0, 5.0)]
)
def test_the_next_fetch_is_due_by_how_long_the_last_took(took, blocked, due, clock):
    """Not by how long the actor was blocked before it noticed the answer."""
    learner = Learner()
    params = Parameters(learner, ["q"], threading.Event())
    clock.seconds += 1.0
    assert params() == {"q": 1.0} and learner.asked == 2
    clock.seconds += took
    learner.answer()
    clock.seconds += min(blocked, due / 2)
    assert params() == {"q": 2.0}
    clock.seconds += due - min(blocked, due / 2) - 1e-6
    params()
    assert learner.asked == 2
    clock.seconds += 2e-6
    params()
    assert learner.asked == 3


def test_an_actor_that_was_blocked_fetches_again_at_once(clock):
    learner = Learner()
    params = Parameters(learner, ["q"], threading.Event())
    clock.seconds += 1.0
    params()
    clock.seconds += 0.01
    learner.answer()
    clock.seconds += 30.0  # in the rate limiter
    assert params() == {"q": 2.0}
    params()
    assert learner.asked == 3


def test_a_fetch_waits_for_the_newest_answer_or_a_stop():
    learner, stop = Learner(), threading.Event()
    params = Parameters(learner, ["q"], stop)
    threading.Timer(0.05, learner.answer).start()
    assert params.fetch() == {"q": 2.0}
    threading.Timer(0.05, stop.set).start()
    learner.close = lambda: None
    with pytest.raises(Stopped):
        params.fetch()
    assert learner.open[-1].cancelled()
