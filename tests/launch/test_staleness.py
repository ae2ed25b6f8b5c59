"""The machinery stores the version of the parameters, and the agent never sees it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.parts.contract import TrainingState, Transition
from launch import build, staleness
from launch.build import make_agent, make_extras_spec
from tests.launch.replay.made_up_extras import SPEC, acting, extras_of, hash_of

QUEUE = {
    "agent.storage.order": "queue",
    "agent.storage.samples_per_insert": 1.0,
    "agent.storage.min_size": 1,
    "agent.storage.batch_size": 5,
    "agent.storage.capacity": 5,
}


@pytest.fixture
def queued(catch):
    """The agent of a Catch experiment with a queue, and its spec."""
    experiment = catch(QUEUE)
    spec = build.spec_of(experiment)
    return make_agent(experiment, spec), spec


def test_a_queue_stores_the_version_with_the_agents_extras(queued):
    agent, spec = queued
    version = jax.ShapeDtypeStruct((), np.int32)
    assert make_extras_spec(agent, spec) == {"agent": (), "version": version}
    extended = acting(agent, lambda seen, actions: extras_of(hash_of(seen), actions))
    assert make_extras_spec(extended, spec) == {"agent": SPEC, "version": version}
    replay = agent._replace(storage=agent.storage.__class__())
    assert make_extras_spec(replay, spec) == ()


def test_ages_are_learner_steps_and_the_agent_sees_its_own_extras(queued):
    agent, _ = queued
    seen = []

    def update(state, batch):
        seen.append(batch.extras)
        return state._replace(steps=state.steps + 1), {"loss": jnp.float32(0.5)}

    measured = staleness.measured(agent._replace(update=update))
    state = TrainingState({}, {}, {}, jnp.int32(20), jax.random.key(0))
    versions = np.array([20, 13, 18], np.int32)
    stored = staleness.stored_extras(("own", 7), versions)
    after, metrics = measured.update(state, Transition(*[None] * 5, extras=stored))
    assert seen == [("own", 7)]
    assert int(after.steps) == 21
    # Ages are 0, 7 and 2.
    assert {name: float(value) for name, value in metrics.items()} == {
        "loss": 0.5,
        "staleness_mean": 3.0,
        "staleness_max": 7.0,
    }


def test_only_a_run_that_learns_from_a_queue_measures_ages(catch):
    def changes(settings):
        experiment = catch(settings)
        spec = build.spec_of(experiment)
        [stage] = build.make_stages(experiment, spec)
        return stage.agent.update.__module__ == staleness.__name__

    assert changes(QUEUE) and not changes({})
