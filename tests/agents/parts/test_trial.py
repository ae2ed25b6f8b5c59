"""The batches and compiled agents on which agents are tried."""

import jax
import numpy as np
import pytest

from agents import REGISTRY
from agents.parts import networks, trial


@pytest.mark.parametrize("spec", [trial.VECTORS, trial.IMAGES, trial.BOX])
def test_a_batch_fits_its_spec(spec):
    batch = trial.batch_of(spec)
    assert batch.observation.shape == (11, *spec.observation.shape)
    assert batch.observation.dtype == spec.observation.dtype
    assert batch.action.shape == (11, *spec.action.shape)
    assert batch.reward.shape == batch.discount.shape == (11,)
    assert set(batch.discount) == {0.0, 1.0}
    assert not np.array_equal(batch.observation, batch.next_observation)
    if spec is trial.BOX:
        assert batch.action.min() == -1 and batch.action.max() == 1


def test_small_replaces_every_network_and_nothing_else():
    config = REGISTRY["iq"].default()
    small = trial.small(config, trial.BOX)
    assert (small.network.torso, small.network.hidden) == ("mlp", (13,))
    assert small.storage == config.storage and small.optimizer == config.optimizer
    config = REGISTRY["dqn"].default()
    assert trial.small(config, trial.IMAGES).network == networks.Config(
        "dqn2013", (13,)
    )


def test_a_second_compilation_is_counted():
    agent = REGISTRY["dqn"].agent(
        trial.small(REGISTRY["dqn"].default(), trial.VECTORS), trial.VECTORS
    )
    one = trial.compile_agent(agent)
    batch = trial.batch_of(trial.VECTORS)
    one.update(one.state, batch)
    one.update(one.state, batch)
    assert one.traces == [1]
    one.update(
        one.state, jax.tree.map(lambda leaf: leaf[:7], batch)._replace(extras=())
    )
    assert one.traces == [1, 1]
