"""Each role of a program, alone in the test's thread, with a made-up context."""

import numpy as np
import pytest

from launch import build, errors
from launch.replay.in_process import InProcess
from launch.roles.actor import ActorRole
from launch.roles.context import Run
from launch.roles.coordinator import Coordinator
from launch.roles.evaluator import EvaluatorRole
from launch.roles.learner_role import LearnerRole
from launch.runs import checkpoint, logs
from launch.runs.logs import Counts
from tests.launch.fake_context import FakeContext


@pytest.fixture
def run(catch, tmp_path):
    experiment = catch({"environments": 3, "agent.storage.min_size": 40})
    return Run(experiment, tmp_path, build.spec_of(experiment), frame_stack=1)


def agent_of(run):
    return build.make_agent(run.experiment, run.spec)


def store_of(run, agent):
    store = InProcess(
        agent.storage,
        run.spec,
        discount=agent.discount,
        frame_stack=1,
        num_environments=run.experiment.environments,
        seed=0,
    )
    store.waited_seconds = 0.0
    return store


class Parameters:
    """A learner that serves first parameters and has done 17 steps."""

    def __init__(self, run):
        self._params = agent_of(run).init(np.array([0, 7], np.uint32)).params

    def get_variables(self, names):
        return 17, [self._params[name] for name in names]


class Counting:
    """A coordinator that adds up what an actor reports."""

    def __init__(self):
        self.actor_steps, self.episodes, self.ended = 0, [], 0

    def report_actor(self, name, actor_steps, frames, episodes, waiting):
        assert name == "actor/1" and frames == actor_steps and waiting == 0
        self.actor_steps += actor_steps
        self.episodes += episodes
        return self.actor_steps

    def actor_ended(self):
        self.ended += 1


def test_an_actor_spends_the_budget_and_hands_over_what_it_saw(run):
    store = store_of(run, agent_of(run))
    coordinator = Counting()
    context = FakeContext("actor/1", coordinator=coordinator, learner=Parameters(run))
    ActorRole(run, context, make_adder=lambda *_: store).run()
    assert 300 <= coordinator.actor_steps < 303 and coordinator.ended == 1
    assert store.inserted == coordinator.actor_steps, "a transition for each decision"
    assert len(coordinator.episodes) == coordinator.actor_steps // 9 // 3 * 3
    assert [peer.closed for peer in context.peers.values()] == [1, 1]


def test_an_actor_that_is_stopped_does_not_say_that_it_has_ended(run):
    coordinator = Counting()
    context = FakeContext("actor/1", coordinator=coordinator, learner=Parameters(run))
    context.stop.set()
    ActorRole(run, context, make_adder=lambda *_: store_of(run, agent_of(run))).run()
    assert (coordinator.actor_steps, coordinator.ended) == (0, 0)


class Program:
    """A coordinator whose actors have ended after `actor_steps`."""

    def __init__(self, actor_steps, evaluations=0):
        self._counts = Counts(actor_steps, actor_steps)
        self.evaluations = evaluations
        self.metrics, self.finished, self.learned = [], 0, 0

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

    def pending(self):
        return {"seconds": 1.0, "episodes": [], "evaluated": []}

    def finish(self):
        self.finished += 1


def filled(run, agent, steps):
    """A store after so many decisions in each lane."""
    store = store_of(run, agent)
    coordinator = Counting()
    context = FakeContext("actor/1", coordinator=coordinator, learner=Parameters(run))
    short = run._replace(
        experiment=run.experiment.__class__(**vars(run.experiment) | {"steps": steps})
    )
    ActorRole(short, context, make_adder=lambda *_: store).run()
    return store


def test_a_learner_does_what_samples_per_insert_call_for_and_saves(run, monkeypatch):
    monkeypatch.setattr("launch.roles.learner_role.REPORT_SECONDS", 0.0)
    store = filled(run, agent_of(run), steps=90)
    # It is asked as the batches of a program are: always for one more.
    monkeypatch.setattr(store, "owed", lambda: 1)
    coordinator = Program(actor_steps=90, evaluations=3)
    context = FakeContext("learner", coordinator=coordinator)
    role = LearnerRole(run, context, make_replay=lambda *_: store)
    before, [first] = role.get_variables(["q"])
    role.run()
    owed = int(32.0 * (90 - 40) / 32)
    after, [last] = role.get_variables(["q"])
    assert (before, after, coordinator.learned) == (0, owed, owed)
    assert any((a != b).any() for a, b in zip(leaves(first), leaves(last), strict=True))
    assert {"q_loss", "q_mean"} <= coordinator.metrics[-1].keys()
    assert coordinator.finished == 1 and coordinator.evaluations == -1
    saved = checkpoint.newest(run.directory)
    assert saved.counts == Counts(90, 90, owed) and saved.replay is not None


def leaves(tree):
    import jax

    return jax.tree.leaves(tree)


def test_a_learner_ends_when_there_will_be_no_batch(run):
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

        def save(self, path):
            path.mkdir()

        def close(self):
            self.closed = True

    source, coordinator = Exhausted(), Program(actor_steps=11)
    context = FakeContext("learner", coordinator=coordinator)
    LearnerRole(run, context, make_replay=lambda *_: source).run()
    assert source.closed and coordinator.finished == 1 and coordinator.learned == 0


class Evaluating:
    """A coordinator that has learned for two looks, and then ends."""

    def __init__(self, *points):
        self._points = list(points)
        self._at = 0
        self.evaluations, self.ended = [], 0

    def learning(self):
        return len(self._points) > 1

    def counts(self):
        self._at = self._points.pop(0)
        return tuple(Counts(self._at, self._at, 3))

    def report_evaluation(self, point, counts, episodes):
        self.evaluations.append((point, Counts(*counts), len(episodes)))

    def moved(self, role):
        assert role == "evaluator"

    def evaluator_ended(self):
        self.ended += 1


def test_an_evaluator_reports_the_learner_step_of_the_parameters(run, monkeypatch):
    monkeypatch.setattr("launch.roles.evaluator.REPORT_SECONDS", 0.001)
    coordinator = Evaluating(99, 104, 300)
    context = FakeContext("evaluator", coordinator=coordinator, learner=Parameters(run))
    EvaluatorRole(run, context).run()
    assert coordinator.evaluations == [
        (100, Counts(104, 104, 17), 20),
        (300, Counts(300, 300, 17), 20),
    ]
    assert coordinator.ended == 1


def test_an_evaluator_that_is_stopped_leaves_its_evaluation_to_the_next(run):
    class Stopping(Evaluating):
        def counts(self):
            context.stop.set()
            return super().counts()

    coordinator = Stopping(104, 300)
    context = FakeContext("evaluator", coordinator=coordinator, learner=Parameters(run))
    EvaluatorRole(run, context).run()
    assert (coordinator.evaluations, coordinator.ended) == ([], 0)


def test_a_coordinator_counts_for_all_and_logs_for_all(run, monkeypatch):
    monkeypatch.setattr("launch.roles.coordinator._LAST_ANSWER_SECONDS", 0.0)
    coordinator = Coordinator(run, FakeContext("coordinator"))
    assert coordinator.report_actor("actor/0", 70, 140, [(1.0, 9)], 0.25) == 70
    coordinator.report_learner(5, {"q_loss": 0.5}, 0.0)
    assert coordinator.report_actor("actor/1", 60, 120, [], 0.5) == 130
    assert coordinator.counts() == Counts(130, 260, 5, 1)
    coordinator.report_evaluation(100, (130, 260, 5, 1), [(0.5, 9), (1.0, 9)])
    assert coordinator.acting() and coordinator.learning() and coordinator.evaluating()
    coordinator.actor_ended()
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
