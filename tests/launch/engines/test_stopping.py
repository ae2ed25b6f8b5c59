"""The order in which roles are asked to end, on a clock of the test."""

import signal

import pytest

from launch.engines import process, stopping
from launch.engines.program import Node
from launch.engines.signals import Caught

NODES = [
    Node("replay", make=None, stops=5, patience=20.0),
    Node("coordinator", make=None, stops=4, patience=20.0),
    Node("learner", make=None, stops=3, patience=300.0, saves=True),
    Node("actor", make=None, stops=1, patience=20.0),
    Node("evaluator", make=None, stops=2, patience=20.0),
]
NAMES = {process.END: "end", process.NOTICE: "notice"}


class Role:
    """A role that ends some seconds after it was asked to."""

    def __init__(self, node, play, takes):
        self.node, self.title, self.handle = node, node.role, self
        self._play, self._takes, self._ends = play, takes, None

    def runs(self):
        return self._ends is None or self._play.now < self._ends

    def signal(self, number):
        if number in NAMES:
            self._play.tape.append((self._play.now, self.title, NAMES[number]))
            self._ends = self._play.now + self._takes

    def kill(self):
        self._play.tape.append((self._play.now, self.title, "killed"))
        self._ends = self._play.now


class Play:
    """Roles, and a clock that runs while somebody sleeps."""

    def __init__(self, monkeypatch, **takes):
        self.now, self.tape, self.later = 100.0, [], []
        self.caught = Caught()
        self.roles = [Role(each, self, takes.get(each.role, 0.5)) for each in NODES]
        monkeypatch.setattr(stopping.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(stopping.time, "sleep", self._sleep)
        monkeypatch.setattr(stopping, "_POLL_SECONDS", 0.25)

    def _sleep(self, seconds):
        self.now += seconds
        for when, number in list(self.later):
            if self.now >= when:
                self.later.remove((when, number))
                self.caught.note(number)

    def stop(self, grace):
        stopping.in_order(self.roles, self.caught, grace)
        return [(when - 100.0, title, what) for when, title, what in self.tape]


def test_without_a_notice_one_role_ends_after_the_other(monkeypatch):
    play = Play(monkeypatch, actor=19.0, learner=250.0)
    play.caught.note(signal.SIGINT)
    assert play.stop(grace=5.0) == [
        (0.0, "actor", "end"),
        (19.0, "evaluator", "end"),
        (19.5, "learner", "end"),
        (269.5, "coordinator", "end"),
        (270.0, "replay", "end"),
    ]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1", "SIGUSR2"])
def test_after_a_notice_the_learner_is_told_at_once(monkeypatch, name):
    play = Play(monkeypatch, actor=2.0, learner=3.0)
    play.caught.note(signal.Signals[name])
    assert play.stop(grace=5.0) == [
        (0.0, "learner", "notice"),
        (0.0, "actor", "end"),
        (0.0, "evaluator", "end"),
        (3.0, "coordinator", "end"),
        (3.5, "replay", "end"),
    ]


def test_all_that_has_not_ended_is_killed_before_the_scheduler_does_it(
    monkeypatch, capsys
):
    play = Play(monkeypatch, actor=99.0, learner=99.0, replay=99.0)
    play.caught.note(signal.SIGTERM)
    assert play.stop(grace=5.0)[3:] == [
        (4.5, "learner", "killed"),
        (4.5, "coordinator", "end"),
        (5.0, "replay", "end"),
        (6.0, "replay", "killed"),
        (6.0, "actor", "killed"),
    ]
    said = [f"{name} did not end: killed" for name in ("learner", "replay", "actor")]
    assert capsys.readouterr().err.splitlines() == said


def test_a_notice_while_roles_end_in_order_hurries_the_learner(monkeypatch):
    """The learner saves already; now it learns how much time there is."""
    play = Play(monkeypatch, learner=60.0)
    play.caught.note(signal.SIGINT)
    play.later = [(110.0, signal.SIGTERM)]
    tape = play.stop(grace=10.0)
    assert tape[:4] == [
        (0.0, "actor", "end"),
        (0.5, "evaluator", "end"),
        (1.0, "learner", "end"),
        (10.0, "learner", "notice"),
    ]
    assert tape[4] == (19.0, "learner", "killed")


def test_a_second_ctrl_c_kills_everything(monkeypatch):
    play = Play(monkeypatch, learner=60.0)
    play.caught.note(signal.SIGINT)
    play.later = [(105.0, signal.SIGINT)]
    tape = play.stop(grace=10.0)
    assert tape[2:5] == [
        (1.0, "learner", "end"),
        (5.0, "learner", "killed"),
        (5.0, "coordinator", "end"),
    ]


def test_after_a_failure_the_learner_saves_at_once(monkeypatch):
    play = Play(monkeypatch, learner=20.0)
    stopping.at_once(play.roles, play.caught, play.now + 12.0)
    assert play.tape[0] == (100.0, "learner", "notice")
    assert (112.0, "learner", "killed") in play.tape
