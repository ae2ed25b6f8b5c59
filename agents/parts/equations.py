"""Maths used by two or more papers: one transition in, numbers out.

The caller batches them with `jax.vmap`. `_tm1` is time t-1, `_t` is time t.
"""

from typing import Literal

import chex
import jax
import jax.numpy as jnp

Regression = Literal["huber", "squared"]


def scaled_log_softmax(q: jax.Array, temperature: float) -> jax.Array:
    """Returns tau ln softmax(q / tau), computed without dividing large values.

    Args:
        q: `[..., A]` action values.
        temperature: tau >= 0; at 0 its limit, the advantage q - max q.

    Returns:
        `[..., A]`, at most 0.

    Source: log-sum-exp of the values minus their maximum, as in the Munchausen authors'
    `common/utils.py`; it stays finite for any tau.
    """
    advantage = q - jnp.max(q, axis=-1, keepdims=True)
    if temperature == 0:
        return advantage
    return advantage - temperature * jax.nn.logsumexp(
        advantage / temperature, axis=-1, keepdims=True
    )


def soft_value(q: jax.Array, temperature: float) -> jax.Array:
    """Returns tau ln sum exp(q / tau) = <pi, q - tau ln pi> for pi = softmax(q / tau).

    Args:
        q: `[..., A]` action values.
        temperature: tau >= 0; at 0 its limit, max q.

    Returns:
        `[...]`, between max q and max q + tau ln A.
    """
    largest = jnp.max(q, axis=-1)
    if temperature == 0:
        return largest
    # Subtract the maximum first: when compiled, the rounding error of q / tau alone
    # overflows the exponential once q / tau is about 2e9.
    advantage = (q - largest[..., None]) / temperature
    return largest + temperature * jax.nn.logsumexp(advantage, axis=-1)


def log_policy_bonus(
    q: jax.Array, action: jax.Array, *, temperature: float, floor: float
) -> jax.Array:
    """Munchausen term tau ln pi(a) of pi = softmax(q / tau), clipped to [floor, 0].

    Args:
        q: `[A]` action values of the target network.
        action: `[]` the action taken.
        temperature: tau >= 0.
        floor: l_0 <= 0.

    Returns:
        `[]`, not scaled by alpha.

    Source: Munchausen RL, Eq. (3) and the authors' `m_iqn.py`.
    """
    chex.assert_rank([q, action], [1, 0])
    return jnp.clip(scaled_log_softmax(q, temperature)[action], floor, 0.0)


def regularized_value(
    q: jax.Array,
    log_probs: jax.Array,
    reference: jax.Array,
    kl_weight: float,
    temperature: float,
) -> jax.Array:
    """Returns <pi, q> - lambda KL(pi || mu) + tau H(pi), `[]`.

    Args:
        q: `[A]` action values.
        log_probs: `[A]` ln pi, finite.
        reference: `[A]` ln mu, finite.
        kl_weight: lambda >= 0.
        temperature: tau >= 0.

    Source: "Leverage the Average", the regularised evaluation of a policy at a state.
    """
    chex.assert_rank([q, log_probs, reference], 1)
    cost = kl_weight * (log_probs - reference) + temperature * log_probs
    # Not a dot product, in which GPUs may round float32 to the ten bits of TF32.
    return jnp.sum(jnp.exp(log_probs) * (q - cost))


def q_regression(
    q_tm1: jax.Array, action: jax.Array, target: jax.Array, kind: Regression
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Mean loss of the actions taken, and metrics of the action values.

    Args:
        q_tm1: `[B, A]` online action values.
        action: `[B]` actions taken.
        target: `[B]`; no gradient flows through it.
        kind: see `regression_loss`.
    """
    errors = jax.lax.stop_gradient(target) - taken(q_tm1, action)
    return jnp.mean(regression_loss(errors, kind)), value_metrics(q_tm1)


def value_metrics(q: jax.Array) -> dict[str, jax.Array]:
    """Metrics of action values: their mean, and the action gap.

    The gap is the mean difference between the largest and the second largest value of a
    state; 0 if there is one action.

    Args:
        q: `[B, A]` action values.

    Source: Munchausen RL, Sec. 3 and Fig. 2; Bellemare et al. 2016, arXiv 1512.04860.
    """
    chex.assert_rank(q, 2)
    best = jax.lax.top_k(q, min(2, q.shape[-1]))[0]
    return {"q_mean": jnp.mean(q), "action_gap": jnp.mean(best[:, 0] - best[:, -1])}


def taken(values: jax.Array, action: jax.Array) -> jax.Array:
    """Values `[B]` of the actions taken, from values `[B, A]`, actions `[B]`."""
    chex.assert_rank([values, action], [2, 1])
    return jnp.take_along_axis(values, action[:, None], axis=1)[:, 0]


def regression_loss(error: jax.Array, kind: Regression) -> jax.Array:
    """Loss of each error: Huber with threshold 1, or the plain square.

    Args:
        error: any shape.
        kind: `huber` (e^2 / 2 up to 1, then |e| - 1/2) or `squared` (e^2).

    Returns:
        Losses in the shape of `error`.
    """
    if kind == "squared":
        return jnp.square(error)
    magnitude = jnp.abs(error)
    quadratic = jnp.minimum(magnitude, 1.0)
    return 0.5 * jnp.square(quadratic) + magnitude - quadratic
