"""Behavioural cloning: its error by hand, and that it imitates."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents import bc
from agents.parts import sgd
from tests.agents.cases import BATCH, BOX, batch_of, make


def test_squared_error_by_hand():
    # (0.5^2 + 1^2 + 0) / 3
    error = bc.squared_error(jnp.array([0.5, -1.0, 0.2]), jnp.array([0.0, 0.0, 0.2]))
    assert error == pytest.approx(1.25 / 3)


def test_the_loss_is_the_mean_over_the_batch(key):
    agent, batch = make("bc"), batch_of(BOX)
    state = agent.init(key)
    action, _ = agent.act(state.params, key, batch.observation, 0, False)
    assert action.shape == (BATCH, 3)
    _, metrics = agent.update(state, batch)
    by_hand = np.square(np.asarray(action) - batch.action).mean()
    np.testing.assert_allclose(metrics["policy_loss"], by_hand, rtol=1e-6)


def test_the_policy_imitates_and_rewards_do_not_matter(key):
    agent, batch = make("bc", optimizer=sgd.Optimizer(3e-3, 1e-8)), batch_of(BOX)
    goal = np.tanh(batch.observation[:, :3]).astype(np.float32)
    other = batch._replace(
        action=goal, reward=-9 * batch.reward, discount=0 * goal[:, 0]
    )
    update, state = jax.jit(agent.update), agent.init(key)
    rewarded = state
    for _ in range(400):
        state, metrics = update(state, batch._replace(action=goal))
        rewarded, _ = update(rewarded, other)
    assert metrics["policy_loss"] < 0.01 < np.square(goal).mean()
    jax.tree.map(np.testing.assert_array_equal, state.params, rewarded.params)


@pytest.mark.parametrize(("field", "value"), [("discount", 1.5), ("batch_size", 0)])
def test_errors_name_values_out_of_range(field, value):
    with pytest.raises(ValueError, match=rf"{field} must be .*, got {value:g}"):
        dataclasses.replace(bc.Config(), **{field: value})
