"""The learner loop with a made-up host: the order of calls, and the checkpoints."""

import contextlib
import dataclasses

import numpy as np
import pytest

from agents.parts.contract import Stage, Transition
from launch import build
from launch.errors import SaveFailed
from launch.roles.batches import Given
from launch.roles.learner_loop import LearnerLoop
from launch.runs import checkpoint, schedule
from launch.runs.logs import Counts


class Host:
    """A run of `steps` steps, one before each update; records its calls."""

    def __init__(self, steps, stops=10**9):
        self._steps, self._stops = steps, stops
        self.steps, self.saves, self.tape = 0, 0, []
        self.must_end = None

    def act(self):
        self.steps += 1

    def done(self):
        return self.steps

    def ended(self):
        return self.steps >= self._steps

    def stopped(self):
        return self.steps >= self._stops

    def deadline(self):
        return self.must_end

    def tick(self):
        pass

    def report(self, metrics):
        assert "q_loss" in metrics

    def evaluate(self, point):
        self.tape.append(("evaluate", point, self.steps))

    def moment(self):
        return Counts(self.steps, self.steps, 10**6), {"kept": self.steps}

    @contextlib.contextmanager
    def saving(self):
        self.saves += 1
        yield

    def exact(self, on_grid):
        return on_grid

    def saved(self):
        self.tape.append(("saved", self.steps))


class Numbered(Given):
    """At most `most` batches of Catch."""

    def __init__(self, most):
        random, self.left = np.random.default_rng(0), most

        def batch():
            if not self.left:
                raise StopIteration
            self.left -= 1
            return Transition(
                random.normal(size=(32, 10, 5)).astype(np.float32),
                random.integers(0, 3, 32).astype(np.int32),
                random.normal(size=32).astype(np.float32),
                np.ones(32, np.float32),
                random.normal(size=(32, 10, 5)).astype(np.float32),
            )

        super().__init__(batch)


@pytest.fixture
def make(catch, tmp_path):
    """Makes the loop of a run of 10 steps."""

    def make(batches=100):
        settings = {"steps": 10, "evaluation.period": 4, "checkpoint.period": 3}
        experiment = catch(settings | {"checkpoint.keep": 9})
        agent = build.make_agent(experiment, build.spec_of(experiment))
        return LearnerLoop(experiment, tmp_path, Stage(agent), Numbered(batches))

    return make


def test_evaluations_come_before_checkpoints_and_the_last_save_is_the_hosts(
    make, tmp_path, monkeypatch
):
    monkeypatch.setenv("NPROC", "3")
    loop, host = make(), Host(10)
    loop.run(host, evaluated=0)
    assert host.tape == [
        ("saved", 3),
        ("evaluate", 4, 4),
        ("saved", 6),
        ("evaluate", 8, 8),
        ("saved", 9),
        ("evaluate", 10, 10),
    ]
    assert checkpoint.kept(tmp_path) == [3, 6, 9]
    loop.save_rest(host)
    loop.save_rest(host)
    assert checkpoint.kept(tmp_path) == [3, 6, 9, 10]
    saved = checkpoint.newest(tmp_path)
    assert saved.counts == Counts(10, 10, 10), "learner steps are the learner's"
    assert saved.extra == {"kept": 10, "exact": False, "threads": 3}
    assert host.saves == 5, "four, and the one that was only tried"


def test_a_save_by_wall_time_goes_unnoticed_by_the_host(make, tmp_path, monkeypatch):
    monkeypatch.setattr(schedule.SaveTimer, "late", lambda self: True)
    loop, host = make(), Host(7)
    loop.run(host, evaluated=4)
    assert host.tape == [("saved", 3), ("saved", 6)]
    found = {
        steps: checkpoint.at(tmp_path, steps).extra["exact"]
        for steps in checkpoint.kept(tmp_path)
    }
    assert found == {step: step in (3, 6) for step in range(1, 8)}


def test_a_run_that_cannot_be_saved_ends_before_it_does_anything(make, tmp_path):
    (tmp_path / "checkpoints").write_text("in the way")
    loop, host = make(), Host(10)
    with pytest.raises(SaveFailed) as failed:
        loop.run(host, evaluated=0)
    where = tmp_path / "checkpoints"
    assert str(failed.value).startswith(f"cannot write checkpoint {where}: ")
    assert host.steps == loop.learner.learner_steps == 0


def test_a_finished_run_that_lacks_its_last_evaluation_only_evaluates(make):
    loop, host = make(), Host(10)
    host.steps = 10
    loop.run(host, evaluated=8)
    assert host.tape == [("evaluate", 10, 10)] and loop.learner.learner_steps == 0


def test_a_loop_ends_at_a_stop_and_when_there_are_no_more_batches(make):
    loop, host = make(), Host(10, stops=5)
    loop.run(host, evaluated=0)
    assert loop.learner.learner_steps == host.steps == 5
    loop, host = make(batches=2), Host(10)
    loop.run(host, evaluated=0)
    assert (loop.learner.learner_steps, host.steps) == (2, 3)


@pytest.mark.parametrize(("learners", "taken"), [(1, 6), (2, 100)])
def test_a_stop_ends_a_turn_of_many_updates_unless_learners_share_it(
    make, learners, taken, monkeypatch
):
    """The signal comes during the second part of three updates."""
    monkeypatch.setattr("launch.roles.learner_loop._LONGEST_TURN", 3)
    loop, host = make(), Host(10)
    loop._experiment = dataclasses.replace(loop._experiment, learners=learners)
    monkeypatch.setattr(host, "stopped", lambda: loop.learner.learner_steps >= 4)
    loop._learn(host, 100)
    assert loop.learner.learner_steps == taken


def test_a_loop_continues_from_a_checkpoint(make, tmp_path):
    loop, host = make(), Host(6)
    loop.run(host, evaluated=0)
    again = make()
    again.begin({}, checkpoint.newest(tmp_path))
    assert again.learner.learner_steps == 6


class Reading(Host):
    """A run whose steps are the learner's, which reads a dataset."""

    def __init__(self, loop, steps):
        super().__init__(steps)
        self._learner, self.turns = loop.learner, []

    def act(self):
        self.turns.append(self.steps)

    def report(self, metrics):
        self.steps = self._learner.learner_steps


def test_calls_of_several_updates_end_at_the_grids_of_a_dataset_run(catch, tmp_path):
    settings = {"steps": 20, "evaluation.period": 9, "checkpoint.period": 7}
    experiment = catch(settings | {"updates_per_call": 4, "log_period": 100})
    agent = build.make_agent(experiment, build.spec_of(experiment))
    stage = Stage(agent, source="dataset")
    loop = LearnerLoop(experiment, tmp_path, stage, Numbered(100))
    host = Reading(loop, 20)
    loop.run(host, evaluated=0)
    assert host.turns == [0, 4, 7, 9, 13, 14, 18]
    assert [each for each in host.tape if each[0] == "evaluate"] == [
        ("evaluate", 9, 9),
        ("evaluate", 18, 18),
        ("evaluate", 20, 20),
    ]
    assert loop.learner.learner_steps == 20
