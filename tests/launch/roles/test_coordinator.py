"""A coordinator alone in the test's thread, with a made-up context."""

import dataclasses

import pytest

from launch import errors
from launch.roles.coordinator import Coordinator
from launch.roles.roster import Member, Roster
from launch.runs import logs
from launch.runs.logs import Counts
from tests.launch.roles.fake_context import FakeContext


def test_a_coordinator_counts_and_logs_for_all_roles(run, monkeypatch):
    monkeypatch.setattr("launch.roles.coordinator._LAST_ANSWER_SECONDS", 0.0)
    coordinator = Coordinator(run, FakeContext("coordinator"))
    assert coordinator.report_actor("actor/0", 70, 140, [(1.0, 9)], 0.25) == 70
    coordinator.report_learner(5, {"q_loss": 0.5}, 0.0)
    assert coordinator.report_actor("actor/1", 60, 120, [], 0.5) == 130
    assert coordinator.counts() == Counts(130, 260, 5, 1)
    coordinator.report_evaluation(100, (130, 260, 5, 1), [(0.5, 9), (1.0, 9)])
    assert coordinator.acting() and coordinator.learning() and coordinator.evaluating()
    coordinator.actor_ended("actor/0")
    coordinator.learner_ended()
    coordinator.evaluator_ended()
    assert not (
        coordinator.acting() or coordinator.learning() or coordinator.evaluating()
    )
    coordinator.finish()
    coordinator.run()
    [row] = logs.read_evaluations(run.directory)
    assert (row.grid, row.counts, row.returns) == (100, (130, 260, 5, 1), [0.5, 1.0])
    text = (run.directory / "metrics.jsonl").read_text()
    assert '"q_loss": 0.5' in text and '"waiting_share": 0.25' in text


def test_a_coordinator_ends_the_program_when_a_log_cannot_be_written(run, monkeypatch):
    coordinator = Coordinator(run, FakeContext("coordinator"))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(coordinator._recorder, "report", full)
    coordinator.report_actor("actor/0", 120, 120, [], 0.0)
    with pytest.raises(errors.DiskFull, match="no space left on device"):
        coordinator.run()


@pytest.fixture
def coordinator(run, monkeypatch):
    """The coordinator of a run with three actors."""
    monkeypatch.setattr("launch.roles.coordinator._LAST_ANSWER_SECONDS", 0.0)
    experiment = dataclasses.replace(run.experiment, actors=3)
    made = Coordinator(run._replace(experiment=experiment), FakeContext("coordinator"))
    yield made
    made.finish()
    made.run()


def test_an_actor_that_ends_twice_counts_once(coordinator):
    for name in ("actor/0", "actor/0", "actor/2", "actor/0"):
        coordinator.actor_ended(name)
    assert coordinator.acting()
    coordinator.actor_ended("actor/1")
    assert not coordinator.acting()


def test_an_actor_that_is_lost_does_not_hold_up_the_end(coordinator):
    coordinator.actor_ended("actor/0")
    coordinator.lost("actor/1")
    assert coordinator.acting()
    coordinator.actor_ended("actor/2")
    assert not coordinator.acting()


def test_actors_that_all_wait_for_a_place_do_not_end_the_run(coordinator):
    coordinator.report_actor("actor/0", 70, 140, [], 0.25)
    for index in range(3):
        coordinator.lost(f"actor/{index}")
    coordinator.evaluator_ended()  # says nothing about actors
    assert (
        coordinator.acting() and coordinator.acting(0, 2) and coordinator.acting(1, 2)
    )
    coordinator.join("actor/1", 0)
    assert [coordinator.acting(store, 2) for store in range(2)] == [False, True]
    coordinator.actor_ended("actor/1")
    assert not coordinator.acting()


def test_an_evaluation_that_is_not_finite_ends_the_program(run):
    coordinator = Coordinator(run, FakeContext("coordinator"))
    coordinator.report_evaluation(50, (70, 70, 5, 1), [(0.5, 9)])
    nan = {"kl": float("nan")}
    coordinator.report_evaluation(100, (130, 130, 5, 1), [(0.5, 9)], measures=nan)
    assert coordinator.evaluated() == 50
    with pytest.raises(errors.NotFinite, match="kl is nan"):
        coordinator.run()


def test_an_actor_that_joins_later_acts_as_well(coordinator):
    coordinator.join("actor/5", 0)
    for index in range(3):
        coordinator.actor_ended(f"actor/{index}")
    assert coordinator.acting()
    coordinator.lost("actor/5")
    assert not coordinator.acting()


def test_a_role_that_joins_learns_how_far_the_run_is(coordinator):
    assert coordinator.join("actor/0", 0) == Counts()
    coordinator.report_actor("actor/0", 70, 140, [(1.0, 9)], 0.25)
    assert coordinator.join("actor/1", 2) == Counts(70, 140, 0, 1)


def test_the_roster_counts_reports_of_this_life_and_steps_of_all(coordinator):
    coordinator.join("actor/0", 0)
    for steps in (70, 30):
        coordinator.report_actor("actor/0", steps, steps, [], 0.0)
    assert coordinator.roster() == Roster(100, {"actor/0": Member(0, 2, 100)})
    coordinator.actor_ended("actor/0")
    coordinator.evaluator_ended()
    assert coordinator.roster().ended == ("actor/0", "evaluator")
    coordinator.join("actor/0", 1)
    roster = coordinator.roster()
    assert roster.members["actor/0"] == Member(1, 0, 100)
    assert not roster.has_reported("actor/0", 1)
    coordinator.report_actor("actor/0", 5, 5, [], 0.0)
    roster = coordinator.roster()
    assert roster.has_reported("actor/0", 1) and not roster.has_reported("actor/0", 0)
    assert not roster.has_reported("actor/1", 0)


def test_the_coordinator_knows_which_points_are_evaluated(coordinator):
    assert coordinator.evaluated() == 0
    coordinator.report_evaluation(200, (230, 230, 5, 1), [(0.5, 9)])
    assert coordinator.evaluated() == 200


@pytest.fixture
def with_replays(run, monkeypatch):
    """Makes the coordinator of a run with four actors and several replay servers."""
    monkeypatch.setattr("launch.roles.coordinator._LAST_ANSWER_SECONDS", 0.0)
    made = []

    def make(replays):
        experiment = dataclasses.replace(run.experiment, actors=4, replays=replays)
        context = FakeContext("coordinator")
        made.append(Coordinator(run._replace(experiment=experiment), context))
        return made[-1]

    yield make
    for coordinator in made:
        coordinator.finish()
        coordinator.run()


def test_actors_of_one_replay_server_are_told_from_the_others(with_replays):
    made = with_replays(3)
    for name in ("actor/1", "actor/0", "actor/2"):
        made.actor_ended(name)
    # Actors 0 and 3 store into the first one.
    assert [made.acting(replay, 3) for replay in range(3)] == [True, False, False]
    # With a queue for each of the four actors, only the last one's is still filled.
    assert [made.acting(queue, 4) for queue in range(4)] == [False] * 3 + [True]
    assert made.acting()
    made.lost("actor/3")
    assert not made.acting(0, 3) and not made.acting()
    made.join("actor/4", 1)
    assert [made.acting(replay, 3) for replay in range(3)] == [False, True, False]


def test_the_watchdog_knows_every_replay_server(with_replays):
    servers = with_replays(2)._watchdog._servers
    assert servers == {"replay/0": "replay:1", "replay/1": "replay:2"}


def test_a_run_that_begins_again_has_no_rows_of_its_first_try(run, monkeypatch):
    monkeypatch.setattr("launch.roles.coordinator._LAST_ANSWER_SECONDS", 0.0)
    log = logs.MetricsLog(run.directory, start=0.0)
    log.write(logs.Counts(90, 90, 9, 3), "actor", {"episode_return": 0.5})
    log.close()
    begun = Coordinator(run._replace(resume=None), FakeContext("coordinator"))
    assert (run.directory / "metrics.jsonl").read_text() == ""
    begun.finish()
    begun.run()
