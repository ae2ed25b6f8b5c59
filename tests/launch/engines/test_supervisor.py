"""The supervisor with made-up roles: which it starts again, gives up, or ends."""

import signal
import time

import pytest

from launch import errors
from launch.engines import process
from launch.engines.program import Node
from launch.engines.restarts import Budget
from launch.engines.signals import Caught
from launch.engines.supervisor import NoLink, Rules, Supervisor
from launch.roles.roster import Roster
from launch.runs import events

AT_ONCE = Budget(most=2, first_wait=0.0)
COORDINATOR = Node("coordinator", make=None, stops=2, finishes=True)
ACTOR = Node("actor", make=None, stops=1, replicas=3, restarts=AT_ONCE)


class FakeHandle:
    """A life that ends when its codes say so, one code for each poll."""

    def __init__(self, tape, title, codes, log):
        self._tape, self._title, self._codes = tape, title, list(codes)
        self.host, self.pid, self.log = "here", 7, log

    def poll(self):
        return self._codes.pop(0) if len(self._codes) > 1 else self._codes[0]

    def signal(self, number):
        if number == process.END:
            self._tape.append(f"{self._title} asked to end")
            self._codes = [0]

    def dump_stacks(self):
        self._tape.append(f"{self._title} stacks")

    def kill(self):
        self._tape.append(f"{self._title} killed")
        self._codes = [-9]

    def tail(self):
        return ["first", f"last of {self._title}"]


class FakeLink(NoLink):
    """A coordinator at step 70, to which these have reported in these lives."""

    def __init__(self, reported, ended):
        self.reported, self.ended, self.gone = reported, ended, []

    def roster(self):
        members = {name: (life, 1, 5) for name, life in self.reported.items()}
        return Roster(70, members, self.ended)

    def lost(self, name):
        self.gone.append(name)


@pytest.fixture
def play(tmp_path, monkeypatch):
    """Runs a program whose lives end with these codes; returns what was seen."""
    monkeypatch.setattr("launch.engines.supervisor._POLL_SECONDS", 0.001)

    def run(nodes, codes, *, reported=(), at_least=1, before=(), ended=()):
        tape, link = [], FakeLink(dict(reported), ended)

        def start(node, index, life):
            title = f"{node.role}/{index} life {life}"
            tape.append(f"{title} began")
            return FakeHandle(tape, title, codes.get(title, [None]), tmp_path / "log")

        rules = Rules(tmp_path, at_least)
        try:
            supervisor = Supervisor(start, link, rules)
            now = time.monotonic()
            supervisor._restarts.extend(now + seconds for seconds in before)
            supervisor.run(nodes)
            failure = None
        except errors.RoleFailed as error:
            failure = str(error)
        return tape, link.gone, events.read(tmp_path), failure

    return run


def until(polls, code):
    return [*[None] * polls, code]


def test_a_dead_actor_begins_its_next_life(play, capsys):
    codes = {
        "actor/1 life 0": until(1, -9),
        "coordinator/0 life 0": until(9, 0),
    }
    tape, gone, rows, failure = play(
        [COORDINATOR, ACTOR], codes, reported={"actor/1": 0}
    )
    assert failure is None and gone == []
    assert tape[:4] == [
        "coordinator/0 life 0 began",
        *[f"actor/{index} life 0 began" for index in range(3)],
    ]
    assert tape[4] == "actor/1 life 1 began"
    asked = sorted(line for line in tape if "asked" in line)
    assert asked == [
        "actor/0 life 0 asked to end",
        "actor/1 life 1 asked to end",
        "actor/2 life 0 asked to end",
    ]
    [row] = rows
    assert (row["event"], row["role"], row["host"]) == ("restart", "actor/1", "here")
    assert (row["how"], row["life"], row["steps"]) == ("signal 9", 0, 70)
    assert row["line"] == "last of actor/1 life 0"
    assert "actor/1 died (signal 9) and is started again" in capsys.readouterr().err


def test_an_actor_that_never_reported_ends_the_run_at_its_second_death(play):
    codes = {"actor/2 life 0": until(1, 1), "actor/2 life 1": until(1, 1)}
    tape, gone, rows, failure = play([COORDINATOR, ACTOR], codes)
    assert failure.startswith(
        "actor/2 died (exit code 1), it died 2 times before its first report; "
        "its last lines, from "
    )
    assert failure.endswith("\n  first\n  last of actor/2 life 1")
    assert [row["event"] for row in rows] == ["restart", "lost"]
    assert gone == []
    assert tape[-1] == "coordinator/0 life 0 asked to end"


def test_a_report_of_an_earlier_life_does_not_speak_for_this_one(play):
    codes = {"actor/2 life 0": until(1, 1), "actor/2 life 1": until(1, 1)}
    failure = play([COORDINATOR, ACTOR], codes, reported={"actor/2": 5})[-1]
    assert "before its first report" in failure


def dying(name, lives):
    return {f"{name} life {life}": until(1, 1) for life in range(lives)}


def test_an_actor_beyond_its_budget_is_given_up_and_the_others_go_on(play, capsys):
    codes = {**dying("actor/0", 3), "coordinator/0 life 0": until(40, 0)}
    tape, gone, rows, failure = play(
        [COORDINATOR, ACTOR], codes, reported={"actor/0": 0}, at_least=2
    )
    assert (failure, gone) == (None, ["actor/0"])
    assert [row["event"] for row in rows] == ["restart", "restart", "lost"]
    said = "it died 3 times in 60 minutes; the run continues with 2 of 3"
    assert said in capsys.readouterr().err
    assert "actor/0 life 3 began" not in tape


@pytest.mark.parametrize(("most", "times"), [(-4, []), (3, [0.0] * 7)])
def test_all_roles_together_have_a_budget_of_an_hour(most, times, play, monkeypatch):
    """As many restarts as there are roles, four, and `MOST_IN_AN_HOUR` more."""
    monkeypatch.setattr("launch.engines.supervisor.MOST_IN_AN_HOUR", most)
    codes = {**dying("actor/0", 1), "coordinator/0 life 0": until(40, 0)}
    _, gone, _, failure = play(
        [COORDINATOR, ACTOR], codes, reported={"actor/0": 0}, before=times
    )
    assert (failure, gone) == (None, ["actor/0"])
    # Those of more than an hour ago do not count.
    old = [-3_601.0] * len(times)
    monkeypatch.setattr("launch.engines.supervisor.MOST_IN_AN_HOUR", max(most, -3))
    _, gone, _, _ = play(
        [COORDINATOR, ACTOR], codes, reported={"actor/0": 0}, before=old
    )
    assert gone == []


def test_too_few_actors_end_the_run(play):
    codes = dying("actor/0", 3)
    _, gone, _, failure = play(
        [COORDINATOR, ACTOR], codes, reported={"actor/0": 0}, at_least=3
    )
    assert failure.startswith("actor/0 died (exit code 1), it died 3 times")
    assert gone == []


def test_a_role_without_a_budget_ends_the_run_after_dumping_stacks(play):
    learner = Node("learner", make=None, stops=1)
    codes = {"learner/0 life 0": until(1, -11)}
    tape, _, rows, failure = play([COORDINATOR, learner], codes)
    assert failure.startswith("learner/0 died (signal 11); its last lines, from ")
    assert "coordinator/0 life 0 stacks" in tape
    assert [row["event"] for row in rows] == ["lost"]


def test_an_evaluator_beyond_its_budget_ends_the_run(play):
    evaluator = Node("evaluator", make=None, stops=1, restarts=AT_ONCE)
    failure = play(
        [COORDINATOR, evaluator],
        dying("evaluator/0", 3),
        reported={"evaluator": 0},
    )[-1]
    assert failure.startswith("evaluator/0 died (exit code 1), it died 3 times")


def test_a_role_that_ends_in_order_is_not_started_again(play):
    codes = {f"actor/{index} life 0": until(1, 0) for index in range(3)}
    codes["coordinator/0 life 0"] = until(9, 0)
    reported = {f"actor/{index}": 0 for index in range(3)}
    tape, _, rows, failure = play(
        [COORDINATOR, ACTOR], codes, reported=reported, ended=(*reported,)
    )
    assert (failure, rows) == (None, [])
    assert len([line for line in tape if "began" in line]) == 4


def test_a_role_that_somebody_told_to_end_is_started_again(play):
    """A signal ends it without an error, but not with its work."""
    codes = {"actor/1 life 0": until(1, 0), "actor/2 life 0": until(1, 0)}
    codes["coordinator/0 life 0"] = until(9, 0)
    reported = {f"actor/{index}": 0 for index in range(3)}
    tape, _, rows, failure = play(
        [COORDINATOR, ACTOR], codes, reported=reported, ended=("actor/2",)
    )
    assert failure is None
    assert [(row["role"], row["how"]) for row in rows] == [("actor/1", "exit code 0")]
    assert "actor/1 life 1 began" in tape


def test_a_role_may_end_when_the_coordinator_is_gone(play):
    codes = {"actor/0 life 0": until(1, 0), "coordinator/0 life 0": until(9, 0)}
    assert play([COORDINATOR, ACTOR], codes)[2:] == ([], None)


@pytest.mark.parametrize("patience, kept", [(30.0, True), (0.2, False)])
def test_a_role_is_killed_only_after_the_patience_of_its_node(tmp_path, patience, kept):
    learner = Node("learner", make=None, stops=3, patience=patience)
    tape = []
    slow = FakeHandle(tape, "learner/0", [None], tmp_path)
    slow.signal = lambda number: (
        slow.__setattr__("_codes", [*[None] * 20, 0])
        if number == process.END
        else tape.append(signal.Signals(number).name)
    )
    supervisor = Supervisor(lambda *_: slow, NoLink(), Rules(tmp_path))
    supervisor.add(learner, 0)
    supervisor.stop(Caught())
    assert tape == ["SIGCONT", *([] if kept else ["learner/0 killed"])]
