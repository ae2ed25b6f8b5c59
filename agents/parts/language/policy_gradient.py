"""Policy gradients of whole completions: score functions, with the others as baseline.

Letters in shapes: B completions, T columns of each.
"""

import chex
import jax
import jax.numpy as jnp


def others_mean(values: jax.Array) -> jax.Array:
    """The mean of the batch's other values, for each one: `[B] -> [B]`; B at least 2.

    It does not depend on the own completion, so as a baseline it adds no bias.
    """
    chex.assert_rank(values, 1)
    return (jnp.sum(values) - values) / (values.size - 1)


def advantages(reward: jax.Array) -> jax.Array:
    """Rewards less the mean of the batch's other rewards: `[B] -> [B]`."""
    return reward - others_mean(reward)


def losses(
    log_probs: jax.Array, old_log_probs: jax.Array, advantage: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Score-function losses: the gradient of their mean is minus the expected reward's.

    Args:
        log_probs: `[B, T]` of the tokens under the policy, 0 after EOS.
        old_log_probs: `[B, T]` under the policy that generated them.
        advantage: `[B]`; no gradient flows through it.

    Returns:
        `[B]` losses, and `[B]` weights min(1, pi(y) / pi_old(y)), 1 where the policy
        has not changed.

    Source: REINFORCE (Williams, 1992), whose importance weights are cut at 1.
    """
    chex.assert_rank([log_probs, advantage], [2, 1])
    chex.assert_equal_shape([log_probs, old_log_probs])
    log_prob = jnp.sum(log_probs, axis=1)
    ratio = jnp.exp(jnp.minimum(log_prob - jnp.sum(old_log_probs, axis=1), 0))
    weight = jax.lax.stop_gradient(ratio)
    return -weight * jax.lax.stop_gradient(advantage) * log_prob, weight
