"""The table of a program's roles."""

from types import SimpleNamespace

import pytest

from launch.engines.role_table import Table
from launch.roles.roster import Member, Roster
from launch.runs import roles
from launch.runs.roles import Row


class Link:
    def __init__(self):
        self.steps = {}
        self.told = []

    def roster(self):
        return Roster(0, {name: Member(0, 1, n) for name, n in self.steps.items()})

    def lost(self, name):
        self.told.append(name)


def role(name, host="far", pid=11, life=0):
    return SimpleNamespace(
        name=name, life=life, handle=SimpleNamespace(host=host, pid=pid)
    )


@pytest.fixture
def link():
    return Link()


def test_steps_per_second_are_those_of_the_last_seconds(tmp_path, link):
    members = [role("learner", pid=5), role("actor/1", life=2)]
    table = Table(tmp_path, members, link)
    for now, steps in ((100.0, 50), (110.0, 450), (125.0, 750)):
        link.steps = {"actor/1": steps, "evaluator": 0}
        table.update(now)
    assert roles.read(tmp_path) == [
        Row("learner", "far", 5, 0, 0.0),
        Row("actor/1", "far", 11, 2, 20.0),  # 300 steps in 15 s
    ]


def test_before_the_coordinator_answers_nobody_has_steps(tmp_path, link):
    table = Table(tmp_path, [role("actor/0", host="", pid=0)], link)
    table.update(100.0)
    table.update(200.0)
    assert roles.read(tmp_path) == [Row("actor/0", "", 0, 0, 0.0)]
    assert link.told == []


def test_who_waits_for_a_place_is_no_member_and_may_join_again(tmp_path, link):
    waiting = role("actor/0", host="", pid=0)
    table = Table(tmp_path, [waiting, role("actor/1")], link)
    link.steps = {"actor/1": 3}
    for now in (100.0, 109.0):
        table.update(now)
    assert link.told == []
    for now in (110.0, 120.0, 130.0):
        table.update(now)
    assert link.told == ["actor/0"]
    waiting.handle.host = "new"
    table.update(140.0)
    waiting.handle.host = ""
    for now in (150.0, 161.0):
        table.update(now)
    assert link.told == ["actor/0", "actor/0"]
