"""SAC: its equation by hand, its temperature, and its gradients."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents import sac
from tests.agents.cases import BOX, batch_of, make

Q_TM1 = jnp.array([0.7, -0.2])
TARGET_Q_T = jnp.array([3.0, 2.0])


def critic_error(q_tm1=Q_TM1, target_q_t=TARGET_Q_T, temperature=0.5, discount_t=0.9):
    return sac.critic_error(
        q_tm1,
        jnp.array(0.3),
        jnp.asarray(discount_t),
        target_q_t,
        jnp.array(-1.2),
        jnp.asarray(temperature),
    )


def test_critic_error_by_hand():
    # min(3, 2) - 0.5 * -1.2 = 2.6; 0.3 + 0.9 * 2.6 = 2.64
    np.testing.assert_allclose(critic_error(), [2.64 - 0.7, 2.64 + 0.2], rtol=1e-6)
    np.testing.assert_allclose(critic_error(discount_t=0.0), [-0.4, 0.5], rtol=1e-6)


def test_no_gradient_through_targets():
    gradients = jax.jacobian(critic_error, argnums=(0, 1, 2))(Q_TM1, TARGET_Q_T, 0.5)
    np.testing.assert_array_equal(gradients[0], -np.eye(2))
    np.testing.assert_array_equal(gradients[1], np.zeros((2, 2)))
    np.testing.assert_array_equal(gradients[2], np.zeros(2))


@pytest.mark.parametrize(("target_entropy", "sign"), [(0.69, 1), (-20.0, -1)])
def test_the_temperature_steers_the_entropy_to_its_target(key, target_entropy, sign):
    """It rises where the policy has less entropy than the target, and else falls."""
    agent = make("sac", target_entropy=target_entropy, initial_temperature=0.5)
    state = agent.init(key)
    np.testing.assert_allclose(jnp.exp(state.params["temperature"]), 0.5, rtol=1e-6)
    following, metrics = agent.update(state, batch_of(BOX))
    moved = following.params["temperature"] - state.params["temperature"]
    # Adam's first step has the size of its rate.
    np.testing.assert_allclose(moved, sign * 3e-4, rtol=1e-3)
    np.testing.assert_allclose(metrics["temperature"], 0.5, rtol=1e-6)


def test_an_entropy_that_no_policy_has_is_refused():
    """Uniform actions have ln 2 = 0.693 nats in each dimension."""
    for value in (0.7, -np.inf):
        wanted = rf"target_entropy must be finite and at most 0\.69.*, got {value}"
        with pytest.raises(ValueError, match=wanted):
            sac.Config(target_entropy=value)


def test_a_higher_temperature_widens_the_policy(key):
    entropies = []
    for temperature in (1e-3, 10.0):
        agent = make("sac", initial_temperature=temperature)
        state, update = agent.init(key), jax.jit(agent.update)
        for _ in range(300):
            state, metrics = update(state, batch_of(BOX))
        entropies.append(float(metrics["entropy"]))
    assert entropies[1] > entropies[0] + 0.3


def test_defaults_are_the_papers():
    config = sac.Config()
    assert config.optimizer.learning_rate == 3e-4
    assert (config.discount, config.target_step_size) == (0.99, 0.005)
    assert config.network.hidden == (256, 256)
    assert config.storage.capacity == 1_000_000
    assert config.storage.batch_size == config.storage.samples_per_insert == 256


@pytest.mark.parametrize(
    ("field", "value"),
    [("initial_temperature", 0.0), ("discount", 1.5), ("target_step_size", -0.5)],
)
def test_errors_name_values_out_of_range(field, value):
    with pytest.raises(ValueError, match=rf"{field} must be .*, got {value:g}"):
        dataclasses.replace(sac.Config(), **{field: value})
