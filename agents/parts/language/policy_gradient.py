"""Policy gradients of whole completions: score functions, with the others as baseline.

With an anchor, the reward is r(y) - w log(pi(y) / pi_anchor(y)): its mean is the mean
of r less w times the KL divergence from the policy to the anchor. The log-ratio changes
with the policy, so each part of a batch computes it anew. The baseline must be known
before; it has the log-ratio of the policy that generated the completions.

Letters in shapes: B completions of a batch, b of a part of it, T columns of each.
"""

from typing import Any, NamedTuple

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
    chex.assert_rank(advantage, 1)
    each = jnp.broadcast_to(advantage[:, None], log_probs.shape)
    return token_losses(log_probs, old_log_probs, each)


def token_losses(
    log_probs: jax.Array, old_log_probs: jax.Array, advantage: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """As `losses`, with an advantage `[B, T]` of each token."""
    chex.assert_rank(log_probs, 2)
    chex.assert_equal_shape([log_probs, old_log_probs, advantage])
    log_ratio = jnp.sum(log_probs - old_log_probs, axis=1)
    weight = jax.lax.stop_gradient(jnp.exp(jnp.minimum(log_ratio, 0)))
    constant = jax.lax.stop_gradient(advantage)
    return -weight * jnp.sum(constant * log_probs, axis=1), weight


class Anchored(NamedTuple):
    """What the loss of a completion with an anchor needs; leaves `[B, ...]`.

    Attributes:
        reward: r, `[B]`.
        anchor_log_prob: `[B]` of whole completions under the anchor.
        baseline: `[B]`, of the reward with the log-ratio.
        old_log_probs: `[B, T]` under the policy that generated the completions.
        extras: of the agent, leaves `[B, ...]`.
    """

    reward: jax.Array
    anchor_log_prob: jax.Array
    baseline: jax.Array
    old_log_probs: jax.Array
    extras: Any


def anchored(
    reward: jax.Array, weight: float, anchor_log_prob: jax.Array, extras: Any
) -> Anchored:
    """Computes the baselines of a whole batch.

    Args:
        reward: r, `[B]`.
        weight: w, of the log-ratio.
        anchor_log_prob: `[B]`, see `Anchored`.
        extras: of the agent, with `log_probs` `[B, T]` of the policy that generated.
    """
    chex.assert_equal_shape([reward, anchor_log_prob])
    old_log_probs = extras["log_probs"]
    log_ratio = jnp.sum(old_log_probs, axis=1) - anchor_log_prob
    baseline = others_mean(reward - weight * log_ratio)
    return Anchored(reward, anchor_log_prob, baseline, old_log_probs, extras)


def anchored_losses(
    log_probs: jax.Array, rows: Anchored, weight: float
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """As `losses`, with the log-ratio to an anchor in the reward.

    Args:
        log_probs: `[b, T]` of the tokens under the policy, 0 after EOS.
        rows: `[b, ...]` of a batch.
        weight: w, of the log-ratio.

    Returns:
        `[b]` losses, `[b]` weights as of `losses`, and `[b]` log-ratios.
    """
    log_ratio = jnp.sum(log_probs, axis=1) - rows.anchor_log_prob
    advantage = rows.reward - weight * log_ratio - rows.baseline
    found, weights = losses(log_probs, rows.old_log_probs, advantage)
    return found, weights, log_ratio
