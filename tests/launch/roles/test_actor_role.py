"""An actor alone in the test's thread, with a made-up context."""

import itertools

import jax
import numpy as np
import pytest

from launch.roles.actor_role import ActorRole
from tests.launch import small_experiments
from tests.launch.roles.fake_context import FakeContext
from tests.launch.roles.made_up_program import Counting, Parameters, agent_of, store_of


def test_an_actor_spends_the_budget_and_stores_its_experience(run):
    store = store_of(run, agent_of(run))
    coordinator = Counting()
    context = FakeContext("actor/1", coordinator=coordinator, learner=Parameters(run))
    ActorRole(run, context, make_adder=lambda *_: store).run()
    assert 300 <= coordinator.actor_steps < 303 and coordinator.ended == 1
    assert store.inserted == coordinator.actor_steps, "a transition for each decision"
    assert len(coordinator.episodes) == coordinator.actor_steps // 9 // 3 * 3
    assert [peer.closed for peer in context.peers.values()] == [1, 1]


def test_an_actor_that_is_stopped_does_not_report_its_end(run):
    coordinator = Counting()
    context = FakeContext("actor/1", coordinator=coordinator, learner=Parameters(run))
    context.stop.set()
    ActorRole(run, context, make_adder=lambda *_: store_of(run, agent_of(run))).run()
    assert (coordinator.actor_steps, coordinator.ended) == (0, 0)


class Seen:
    """The steps of all actors that the policy sees at each call."""

    def __init__(self, run, monkeypatch):
        self.steps = []
        agent = agent_of(run)

        def act(params, key, observation, actor_steps, evaluation):
            jax.debug.callback(self._see, actor_steps)
            return agent.act(params, key, observation, actor_steps, evaluation)

        def make_agent(experiment, spec):
            return agent._replace(act=act)

        monkeypatch.setattr("launch.roles.actor_role.make_agent", make_agent)

    def _see(self, actor_steps):
        self.steps.append(int(actor_steps))


@pytest.mark.parametrize("life", [0, 2])
def test_an_actor_explores_from_where_the_run_is(run, monkeypatch, life):
    seen = Seen(run, monkeypatch)
    coordinator = Counting(actor_steps=200)
    context = FakeContext(
        "actor/1", life, coordinator=coordinator, learner=Parameters(run)
    )
    ActorRole(run, context, make_adder=lambda *_: store_of(run, agent_of(run))).run()
    jax.effects_barrier()
    assert coordinator.joined == [("actor/1", life)]
    assert seen.steps[0] == 200
    assert 300 <= coordinator.actor_steps < 303


def test_each_life_of_an_actor_has_other_random_numbers(run):
    seeds = {
        life: tuple(run.experiment.seeds("actor", 1, start=0, life=life))
        for life in range(3)
    }
    assert len(set(seeds.values())) == 3
    assert seeds[0] == tuple(run.experiment.seeds("actor", 1)), "runs without restarts"


class Versions:
    """A learner that does a step between two requests, and stores of what it sees."""

    waited_seconds = 0.0

    def __init__(self, run):
        self._learner, self.fetches, self.stored = Parameters(run), 17, []

    def get_variables(self, names):
        self.fetches += 1
        return self.fetches, self._learner.get_variables(names)[1]

    def observe_first(self, timestep):
        pass

    def observe(self, actions, timestep, extras):
        if not timestep.first().all():
            self.stored.append(extras["version"])

    def close(self):
        pass


def test_an_actor_with_a_queue_fetches_parameters_before_each_decision(run):
    storage = {"order": "queue", "samples_per_insert": 1.0}
    settings = {f"agent.storage.{name}": value for name, value in storage.items()}
    queued = run._replace(
        experiment=small_experiments.changed(run.experiment, settings)
    )
    learner, coordinator = Versions(queued), Counting()
    context = FakeContext("actor/1", coordinator=coordinator, learner=learner)
    ActorRole(queued, context, make_adder=lambda *_: learner).run()
    assert len(learner.stored) == coordinator.actor_steps // 3
    for versions in learner.stored:
        assert (versions.shape, versions.dtype) == ((3,), np.int32)
        assert len(set(versions.tolist())) == 1
    newest = [versions[0] for versions in learner.stored]
    assert newest[0] == 19, "the first parameters, 18, are fetched with the connection"
    assert all(one < other for one, other in itertools.pairwise(newest))
    assert newest[-1] == learner.fetches
