"""Twin critics of TD3 and papers built on it: equations, gradients, a bonus."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents import td3
from agents.parts import continuous_networks as heads
from agents.parts import networks, twin_critics
from tests.agents.cases import BOX, batch_of

Q_TM1 = jnp.array([0.7, -0.2])
TARGET_Q_T = jnp.array([3.0, 2.0])


def critic_error(q_tm1=Q_TM1, target_q_t=TARGET_Q_T, discount_t=0.9):
    return twin_critics.critic_error(
        q_tm1, jnp.array(0.3), jnp.asarray(discount_t), target_q_t
    )


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
    narrow = twin_critics.smoothed(key, action, noise=0.2, noise_clip=10.0)
    assert np.std(narrow) == pytest.approx(0.2, rel=0.02)
    clipped = twin_critics.smoothed(key, action, noise=5.0, noise_clip=0.5)
    np.testing.assert_allclose([clipped.min(), clipped.max()], [-0.4, 0.6], rtol=1e-6)
    at_the_end = twin_critics.smoothed(
        key, jnp.ones((500, 3)), noise=0.2, noise_clip=0.5
    )
    assert at_the_end.max() == 1.0 and at_the_end.min() >= 0.5


def test_actions_without_a_limit_leave_the_box(key):
    action = twin_critics.smoothed(
        key, jnp.ones((500, 3)), noise=0.2, noise_clip=0.5, limit=np.inf
    )
    assert action.max() == 1.5


def test_a_bonus_is_part_of_the_discounted_target_and_keeps_the_noise(key):
    config = td3.Config(discount=0.9)
    shape = networks.Config("mlp", (13,))
    policy, critic = heads.deterministic(shape, BOX), heads.critics(shape, BOX)
    params = {"policy": policy.init(key), "critic": critic.init(key)}
    batch, given = batch_of(BOX), np.linspace(-3, 4, 11).astype(np.float32)
    seen = []

    def bonus(params, key, batch, action):
        seen.append(action)
        return jnp.asarray(given)

    with_bonus, _ = twin_critics.critic_loss(config, policy, critic, bonus=bonus)(
        params, params, batch, key
    )
    q_tm1 = critic.apply(params["critic"], batch.observation, batch.action)
    (a_t,) = seen
    smallest = critic.apply(params["critic"], batch.next_observation, a_t).min(axis=1)
    target = batch.reward + 0.9 * batch.discount * (smallest + given)
    by_hand = np.square(target[:, None] - q_tm1).mean(axis=0).sum()
    np.testing.assert_allclose(with_bonus, by_hand, rtol=1e-5)
    plain, _ = twin_critics.critic_loss(config, policy, critic)(
        params, params, batch, key
    )
    silent, _ = twin_critics.critic_loss(
        config, policy, critic, bonus=lambda *_: jnp.zeros(11)
    )(params, params, batch, key)
    assert plain == silent != with_bonus
