"""Maths used by two or more papers: one transition in, numbers out.

Batches are the caller's `jax.vmap`. `_tm1` is time t-1, `_t` is time t.
"""

from typing import Literal

import jax
import jax.numpy as jnp

Regression = Literal["huber", "squared"]


def scaled_log_softmax(q: jax.Array, temperature: float) -> jax.Array:
    """Returns tau ln softmax(q / tau), computed without dividing large values.

    Args:
        q: `[..., A]` action values.
        temperature: tau > 0.

    Returns:
        `[..., A]`, at most 0.

    Source: log-sum-exp of the values less their maximum, as in the Munchausen authors'
    `common/utils.py`; it stays finite for any tau above 0.
    """
    advantage = q - jnp.max(q, axis=-1, keepdims=True)
    return advantage - temperature * jax.nn.logsumexp(
        advantage / temperature, axis=-1, keepdims=True
    )


def soft_value(q: jax.Array, temperature: float) -> jax.Array:
    """Returns tau ln sum exp(q / tau) = <pi, q - tau ln pi> for pi = softmax(q / tau).

    Args:
        q: `[..., A]` action values.
        temperature: tau > 0.

    Returns:
        `[...]`, between max q and max q + tau ln A.
    """
    return temperature * jax.nn.logsumexp(q / temperature, axis=-1)


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
