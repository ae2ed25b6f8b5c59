"""Score functions of completions: by hand, and their expectation in a small case."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.parts.language import policy_gradient


def test_losses_by_hand():
    """Two completions: log p = -1 and -2, rewards 3 and 1, the second one stale."""
    log_probs = jnp.array([[-0.5, -0.5, 0.0], [-2.0, 0.0, 0.0]])
    old = jnp.array([[-1.0, -1.0, 0.0], [-1.5, 0.0, 0.0]])
    advantage = policy_gradient.advantages(jnp.array([3.0, 1.0]))
    assert advantage.tolist() == [2, -2]
    losses, weights = policy_gradient.losses(log_probs, old, advantage)
    # The first ratio is e, cut to 1.
    assert weights.tolist() == pytest.approx([1, np.exp(-0.5)])
    by_hand = [-1 * 2 * -1, -np.exp(-0.5) * -2 * -2]
    assert losses.tolist() == pytest.approx(by_hand, rel=1e-6)


def test_an_advantage_is_the_reward_less_the_mean_of_the_others():
    found = policy_gradient.advantages(jnp.array([1.0, 0.0, 2.0, 0.0, 4.0]))
    assert found.tolist() == [1 - 6 / 4, -7 / 4, 2 - 5 / 4, -7 / 4, 4 - 3 / 4]


def test_the_expected_gradient_is_minus_that_of_the_expected_reward():
    """All 27 batches of three completions of three tokens, weighted by probability."""
    reward = jnp.array([1.0, -2.0, 0.5])
    logits = jnp.array([0.3, -0.4, 1.1])
    draws = jnp.stack(jnp.meshgrid(*[jnp.arange(3)] * 3), axis=-1).reshape(-1, 3)

    def loss(logits, draw):
        log_probs = jax.nn.log_softmax(logits)[draw][:, None]
        advantage = policy_gradient.advantages(reward[draw])
        losses, _ = policy_gradient.losses(
            log_probs, jax.lax.stop_gradient(log_probs), advantage
        )
        return losses.mean()

    policy = jax.nn.softmax(logits)
    chances = policy[draws].prod(axis=1)
    gradients = jax.vmap(jax.grad(loss), (None, 0))(logits, draws)
    wanted = -jax.grad(lambda own: jax.nn.softmax(own) @ reward)(logits)
    np.testing.assert_allclose(chances @ gradients, wanted, rtol=1e-5)


def test_no_gradient_flows_through_an_advantage():
    def loss(scale):
        log_probs = jnp.array([[-1.0, -2.0], [-3.0, 0.0]])
        return policy_gradient.losses(log_probs, log_probs, scale * jnp.ones(2))[0][0]

    assert jax.grad(loss)(2.0) == 0
