"""A learner alone in the test's thread, with a made-up context."""

import dataclasses

import jax
import numpy as np

from launch.experiment import Origin
from launch.roles import gang
from launch.roles.learner_role import LearnerRank, LearnerRole
from launch.runs import checkpoint, initial_weights
from launch.runs.logs import Counts
from tests.launch.roles.fake_context import FakeContext
from tests.launch.roles.made_up_program import agent_of, filled


class Program:
    """A coordinator whose actors have ended after `actor_steps`."""

    def __init__(self, actor_steps, evaluations=0):
        self._counts = Counts(actor_steps, actor_steps)
        self.evaluations = evaluations
        self.metrics, self.finished, self.learned = [], 0, 0
        self.saving_now = []

    def acting(self):
        return False

    def counts(self):
        return tuple(self._counts)

    def report_learner(self, steps, metrics, waiting):
        assert 0 <= waiting
        self.learned += steps
        self.metrics.append(metrics)

    def learner_ended(self):
        pass

    def evaluating(self):
        self.evaluations -= 1
        return self.evaluations >= 0

    def moment(self):
        return self.counts(), {"seconds": 1.0, "episodes": [], "evaluated": []}

    def saving(self, active):
        self.saving_now.append(active)

    def finish(self):
        self.finished += 1


def test_a_learner_does_the_updates_of_samples_per_insert_and_saves(run, monkeypatch):
    monkeypatch.setattr("launch.roles.learner_role.REPORT_SECONDS", 0.0)
    store = filled(run, agent_of(run), steps=90)
    # Batches of a program always owe one more step.
    monkeypatch.setattr(store, "owed", lambda: 1)
    coordinator = Program(actor_steps=90, evaluations=3)
    context = FakeContext("learner", coordinator=coordinator)
    role = LearnerRole(run, context, make_replay=lambda *_: store)
    before, [first] = role.get_variables(["q"])
    role.run()
    owed = int(32.0 * (90 - 40) / 32)
    after, [last] = role.get_variables(["q"])
    assert (before, after, coordinator.learned) == (0, owed, owed)
    assert any(
        (a != b).any()
        for a, b in zip(*map(jax.tree.leaves, (first, last)), strict=True)
    )
    assert {"q_loss", "q_mean"} <= coordinator.metrics[-1].keys()
    assert coordinator.finished == 1 and coordinator.evaluations == -1
    assert coordinator.saving_now == [True, False] * 2  # the first is only tried
    saved = checkpoint.newest(run.directory)
    assert saved.extra["exact"] is False, "Reverb samples without a seed"
    assert saved.counts == Counts(90, 90, owed) and saved.replay is not None


def test_a_learner_serves_the_first_weights_that_it_is_given(run, monkeypatch):
    params = jax.jit(agent_of(run).init)(jax.random.key(3)).params
    monkeypatch.setattr(initial_weights, "load", lambda origins: params)
    context = FakeContext("learner", coordinator=Program(actor_steps=0))
    origins = (Origin("q", "somewhere", "q", "0" * 64),)
    begun = dataclasses.replace(run.experiment, origins=origins)
    run = run._replace(experiment=begun)
    role = LearnerRole(run, context, make_replay=lambda *_: Exhausted())
    step, [served] = role.get_variables(["q"])
    assert step == 0
    for left, right in zip(*map(jax.tree.leaves, (served, params["q"])), strict=True):
        np.testing.assert_array_equal(left, right)


class Exhausted:
    shared = None

    def prepare(self, params, tick):
        pass

    def owed(self):
        return 1

    def next(self):
        raise StopIteration

    def read(self, batch, shared):
        return batch

    def progress(self):
        return {"store": "reverb"}

    def stored(self):
        return 5

    def save(self, path):
        path.mkdir()

    def close(self):
        self.closed = True


def test_a_learner_ends_when_there_will_be_no_batch(run):
    source, coordinator = Exhausted(), Program(actor_steps=11)
    context = FakeContext("learner", coordinator=coordinator)
    LearnerRole(run, context, make_replay=lambda *_: source).run()
    assert source.closed and coordinator.finished == 1 and coordinator.learned == 0
    assert checkpoint.kept(run.directory) == [11]


def test_a_program_that_is_stopped_before_anything_was_done_saves_nothing(run):
    coordinator = Program(actor_steps=0)
    context = FakeContext("learner", coordinator=coordinator)
    context.stop.set()
    LearnerRole(run, context, make_replay=lambda *_: Exhausted()).run()
    assert coordinator.finished == 1 and checkpoint.kept(run.directory) == []


class Connection:
    """Stands in for the connection of this learner to the others."""

    def __init__(self, monkeypatch, *given):
        self.given, self.agreed, self.left = list(given), [], 0
        monkeypatch.setattr(gang, "join", lambda context, ranks: self.check(ranks))
        monkeypatch.setattr(gang, "agree", self.agree)
        monkeypatch.setattr(gang, "leave", self.leave)

    def check(self, ranks):
        assert ranks == 3

    def agree(self, steps):
        self.agreed.append(steps)
        return self.given.pop(0) if self.given else steps

    def leave(self):
        self.left += 1


def with_learners(run):
    return run._replace(experiment=dataclasses.replace(run.experiment, learners=3))


def test_a_learner_follows_the_first_one_and_neither_reports_nor_saves(
    run, monkeypatch
):
    connection = Connection(monkeypatch, 3, 2, 0)
    store = filled(run, agent_of(run), steps=90)
    coordinator = Program(actor_steps=90)
    context = FakeContext("learner/1", coordinator=coordinator)
    rank = LearnerRank(with_learners(run), context, make_replay=lambda *_: store)
    rank.run()
    assert rank.get_variables(["q"])[0] == 3 + 2
    assert connection.agreed == [0] * 3 and connection.left == 1
    assert context.peers["coordinator"].called == []
    assert checkpoint.kept(run.directory) == []


def test_the_first_learner_decides_for_all_and_tells_them_of_the_end(run, monkeypatch):
    connection = Connection(monkeypatch)
    monkeypatch.setattr("launch.roles.learner_role.REPORT_SECONDS", 0.0)
    store = filled(run, agent_of(run), steps=90)
    coordinator = Program(actor_steps=90)
    context = FakeContext("learner/0", coordinator=coordinator)
    LearnerRole(with_learners(run), context, make_replay=lambda *_: store).run()
    owed = int(32.0 * (90 - 40) / 32)
    assert sum(connection.agreed) == owed == coordinator.learned
    assert connection.agreed[-1] == 0 and connection.left == 1
    assert checkpoint.kept(run.directory) == [90]


def test_learners_leave_together_if_the_program_is_stopped_before_any_work(
    run, monkeypatch
):
    connection = Connection(monkeypatch)
    context = FakeContext("learner/0", coordinator=Program(actor_steps=0))
    context.stop.set()
    LearnerRole(with_learners(run), context, make_replay=lambda *_: Exhausted()).run()
    assert (connection.agreed, connection.left) == ([0], 1)
