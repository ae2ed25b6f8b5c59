"""TD3+BC: its objective by hand, and its limits, TD3 and behavioural cloning."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from agents import td3_bc
from tests.agents.cases import BOX, batch_of, leaves_equal, make

Q = jnp.array([1.0, -3.0, 4.0])
ACTION = jnp.array([[0.5, 0.0], [0.1, -0.3], [1.0, -1.0]])
DATASET_ACTION = jnp.array([[0.0, 0.0], [0.1, 0.3], [0.0, -1.0]])


def objective(q=Q, action=ACTION, value_weight=2.5):
    return td3_bc.policy_objective(q, action, DATASET_ACTION, value_weight=value_weight)


def test_objective_by_hand():
    # lambda = 2.5 / (8/3); mean Q = 2/3; squares: (0.25 + 0.36 + 1) / 6
    np.testing.assert_allclose(objective(), 1.61 / 6 - 0.9375 * 2 / 3, rtol=1e-6)
    np.testing.assert_allclose(objective(value_weight=0.0), 1.61 / 6, rtol=1e-6)


def test_the_scale_of_values_cancels_and_has_no_gradient():
    np.testing.assert_allclose(objective(q=1000 * Q), objective(), rtol=1e-5)
    gradient = jax.grad(objective)(Q)
    np.testing.assert_allclose(gradient, np.full(3, -0.9375 / 3), rtol=1e-6)


def after_two(name, key, **settings):
    """Training states before and after the first step of the policy, on one batch."""
    agent, batch = make(name, BOX, **settings), batch_of(BOX)
    start = make("td3").init(key)  # the same networks for each agent
    state = agent.init(key)
    state = state._replace(
        params={n: start.params[n] for n in state.params},
        target_params={n: start.target_params[n] for n in state.target_params},
        key=jax.random.key(5),
    )
    update = jax.jit(agent.update)
    return state, update(update(state, batch)[0], batch)[0]


def first_moments(state):
    moments = optax.tree_utils.tree_get(state.opt_state["policy"], "mu")
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(moments)])


def test_the_critics_learn_as_those_of_td3(key):
    _, plain = after_two("td3", key)
    _, ours = after_two("td3_bc", key)
    assert leaves_equal(ours.params["critic"], plain.params["critic"])
    assert not leaves_equal(ours.params["policy"], plain.params["policy"])


def test_with_a_huge_value_weight_the_policy_step_is_that_of_td3(key):
    plain = first_moments(after_two("td3", key)[1])
    for value_weight, low, high in [(1e6, 0.9999, 1.0001), (0.1, -1.0, 0.9)]:
        ours = first_moments(after_two("td3_bc", key, value_weight=value_weight)[1])
        cosine = ours @ plain / np.linalg.norm(ours) / np.linalg.norm(plain)
        assert low <= cosine <= high, value_weight


def test_with_zero_value_weight_the_policy_step_is_that_of_bc(key):
    start, ours = after_two("td3_bc", key, value_weight=0.0)
    cloning = make("bc")
    state = cloning.init(key)._replace(params={"policy": start.params["policy"]})
    state, _ = jax.jit(cloning.update)(state, batch_of(BOX))
    np.testing.assert_allclose(first_moments(ours), first_moments(state), rtol=1e-5)


def test_defaults_are_the_reference_implementations():
    config = td3_bc.Config()
    assert (config.value_weight, config.policy_delay) == (2.5, 2)
    assert (config.target_noise, config.target_noise_clip) == (0.2, 0.5)
    assert (config.discount, config.target_step_size) == (0.99, 0.005)
    assert (config.optimizer.learning_rate, config.batch_size) == (3e-4, 256)
    assert config.network.hidden == (256, 256)


@pytest.mark.parametrize(
    ("field", "value"),
    [("value_weight", -0.5), ("batch_size", 0), ("policy_delay", 0)],
)
def test_errors_name_values_out_of_range(field, value):
    with pytest.raises(ValueError, match=rf"{field} must be .*, got {value:g}"):
        dataclasses.replace(td3_bc.Config(), **{field: value})
