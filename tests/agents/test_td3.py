"""TD3: its equations by hand, its delay, and its gradients."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents import td3
from tests.agents.cases import BOX, batch_of, leaves_equal, make

Q_TM1 = jnp.array([0.7, -0.2])
TARGET_Q_T = jnp.array([3.0, 2.0])


def critic_error(q_tm1=Q_TM1, target_q_t=TARGET_Q_T, discount_t=0.9):
    return td3.critic_error(q_tm1, jnp.array(0.3), jnp.asarray(discount_t), target_q_t)


def test_critic_error_by_hand():
    # 0.3 + 0.9 * min(3, 2) = 2.1
    np.testing.assert_allclose(critic_error(), [1.4, 2.3], rtol=1e-6)
    np.testing.assert_allclose(critic_error(discount_t=0.0), [-0.4, 0.5], rtol=1e-6)


def test_no_gradient_through_targets():
    gradients = jax.jacobian(critic_error, argnums=(0, 1))(Q_TM1, TARGET_Q_T)
    np.testing.assert_array_equal(gradients[0], -np.eye(2))
    np.testing.assert_array_equal(gradients[1], np.zeros((2, 2)))


def test_target_noise_has_its_scale_and_both_bounds(key):
    action = jnp.full((20_000, 3), 0.1)
    narrow = td3.smoothed(key, action, noise=0.2, noise_clip=10.0)
    assert np.std(narrow) == pytest.approx(0.2, rel=0.02)
    clipped = td3.smoothed(key, action, noise=5.0, noise_clip=0.5)
    np.testing.assert_allclose([clipped.min(), clipped.max()], [-0.4, 0.6], rtol=1e-6)
    at_the_end = td3.smoothed(key, jnp.ones((500, 3)), noise=0.2, noise_clip=0.5)
    assert at_the_end.max() == 1.0 and at_the_end.min() >= 0.5


def test_policy_and_targets_move_at_every_third_step_only(key):
    agent = make("td3", policy_delay=3)
    state, update = agent.init(key), jax.jit(agent.update)
    for step in range(1, 7):
        following, _ = update(state, batch_of(BOX, seed=step))
        due = step % 3 == 0
        assert not leaves_equal(following.params["critic"], state.params["critic"])
        for one, other in [
            (following.params["policy"], state.params["policy"]),
            (following.opt_state["policy"], state.opt_state["policy"]),
            (following.target_params["policy"], state.target_params["policy"]),
            (following.target_params["critic"], state.target_params["critic"]),
        ]:
            assert leaves_equal(one, other) != due
        state = following


def test_the_policy_climbs_the_first_critic(key):
    """With the critics' rate at zero effect, more of Q1 after each policy step."""
    agent = make("td3")
    state, update, batch = agent.init(key), jax.jit(agent.update), batch_of(BOX)
    frozen, losses = state.params["critic"], []
    for _ in range(100):
        state, metrics = update(state, batch)
        state = state._replace(params={**state.params, "critic": frozen})
        losses.append(float(metrics["policy_loss"]))
    assert losses[-1] < losses[0] - 0.02


def test_defaults_are_the_reference_implementations():
    config = td3.Config()
    assert (config.target_noise, config.target_noise_clip) == (0.2, 0.5)
    assert (config.policy_delay, config.exploration.scale) == (2, 0.1)
    assert (config.discount, config.target_step_size) == (0.99, 0.005)
    assert config.optimizer.learning_rate == 3e-4
    assert config.storage.batch_size == config.storage.samples_per_insert == 256


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("target_noise", -0.1),
        ("target_noise_clip", -1.0),
        ("policy_delay", 0),
        ("discount", 1.5),
        ("target_step_size", -0.5),
    ],
)
def test_values_out_of_range_are_named(field, value):
    with pytest.raises(ValueError, match=rf"{field} is {value}"):
        dataclasses.replace(td3.Config(), **{field: value})
