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


def test_each_token_may_have_its_own_advantage():
    log_probs = jnp.array([[-0.5, -1.0, -2.0], [-3.0, 0.0, 0.0]])
    advantage = jnp.array([[1.0, 2.0, -1.0], [4.0, 7.0, 7.0]])
    found, weights = policy_gradient.token_losses(log_probs, log_probs, advantage)
    assert found.tolist() == [0.5 + 2.0 - 2.0, 12.0]
    assert weights.tolist() == [1, 1]
    same = jnp.broadcast_to(advantage[:, :1], (2, 3))
    both = [
        policy_gradient.token_losses(log_probs, log_probs, same)[0],
        policy_gradient.losses(log_probs, log_probs, advantage[:, 0])[0],
    ]
    np.testing.assert_array_equal(*both)


def test_with_an_anchor_the_gradient_is_that_of_the_reward_less_the_kl():
    """All 27 batches of three completions of one token, weighted by probability."""
    reward, anchor = jnp.array([1.0, -2.0, 0.5]), jnp.log(jnp.array([0.2, 0.5, 0.3]))
    logits = jnp.array([0.3, -0.4, 1.1])
    draws = jnp.stack(jnp.meshgrid(*[jnp.arange(3)] * 3), axis=-1).reshape(-1, 3)

    def loss(logits, draw):
        log_probs = jax.nn.log_softmax(logits)[draw][:, None]
        extras = {"log_probs": jax.lax.stop_gradient(log_probs)}
        rows = policy_gradient.anchored(reward[draw], 0.7, anchor[draw], extras)
        return policy_gradient.anchored_losses(log_probs, rows, 0.7)[0].mean()

    def value(logits):
        log_policy = jax.nn.log_softmax(logits)
        return jnp.exp(log_policy) @ (reward - 0.7 * (log_policy - anchor))

    chances = jax.nn.softmax(logits)[draws].prod(axis=1)
    gradients = jax.vmap(jax.grad(loss), (None, 0))(logits, draws)
    np.testing.assert_allclose(
        chances @ gradients, -jax.grad(value)(logits), rtol=1e-4, atol=1e-6
    )
