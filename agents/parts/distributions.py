"""Distributions over continuous actions: diagonal Gaussian, and its tanh.

The tanh-Gaussian is computed in pre-tanh coordinates, u = artanh(a). Its density is
exact at the very action that is executed and stored, a float32 number inside of
(-1, 1): 1 - a is exact in floating point next to 1, and `squash` never returns -1 or 1,
where there is no density. So replayed actions need neither their pre-tanh values nor
their log-probabilities stored beside them.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

# The largest float32 below 1; its artanh is 8.66.
LARGEST = float(np.nextafter(np.float32(1), np.float32(0)))


class Gaussian(NamedTuple):
    """Independent normal distributions.

    Attributes:
        mean: `[..., D]`.
        log_std: `[..., D]` logarithms of the standard deviations.
    """

    mean: jax.Array
    log_std: jax.Array

    def sample(self, key: jax.Array) -> jax.Array:
        """A reparameterised sample, `[..., D]`; `key` is consumed."""
        noise = jax.random.normal(key, self.mean.shape, self.mean.dtype)
        return self.mean + jnp.exp(self.log_std) * noise

    def log_prob(self, value: jax.Array) -> jax.Array:
        """Log-density of `[..., D]` values, summed over dimensions: `[...]`."""
        chex.assert_equal_shape([self.mean, self.log_std, value])
        scaled = (value - self.mean) * jnp.exp(-self.log_std)
        constant = 0.5 * np.log(2 * np.pi)
        return jnp.sum(-0.5 * jnp.square(scaled) - self.log_std - constant, axis=-1)


class TanhGaussian(NamedTuple):
    """The tanh of independent normal distributions, on (-1, 1).

    Attributes:
        base: distribution of the pre-tanh value u.
    """

    base: Gaussian

    def sample(self, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """A reparameterised action `[..., D]` and its log-density `[...]`.

        Args:
            key: consumed.
        """
        pre_tanh = self.base.sample(key)
        return squash(pre_tanh), self.log_prob_of_pre_tanh(pre_tanh)

    def mode(self) -> jax.Array:
        """The action in the middle, `[..., D]`: tanh of the mean."""
        return squash(self.base.mean)

    def log_prob(self, action: jax.Array) -> jax.Array:
        """Log-density `[...]` of actions `[..., D]`, those that `squash` returns.

        An action of -1 or 1 counts as the nearest one that has a density.
        """
        return self.log_prob_of_pre_tanh(unsquash(action))

    def log_prob_of_pre_tanh(self, pre_tanh: jax.Array) -> jax.Array:
        """Log-density `[...]` of the actions tanh(u) for u `[..., D]`, of any size.

        Source: change of variables; SAC (arXiv 1812.05905), appendix C. The logarithm
        of 1 - tanh(u)^2 is 2 (ln 2 - u - softplus(-2 u)), which never underflows.
        """
        log_slope = 2 * (np.log(2) - pre_tanh - jax.nn.softplus(-2 * pre_tanh))
        return self.base.log_prob(pre_tanh) - jnp.sum(log_slope, axis=-1)


def squash(pre_tanh: jax.Array) -> jax.Array:
    """tanh(u), inside of (-1, 1) also where float32 would round it to an end."""
    return jnp.clip(jnp.tanh(pre_tanh), -LARGEST, LARGEST)


def unsquash(action: jax.Array) -> jax.Array:
    """artanh(a), exact for every float32 inside of (-1, 1); at most 8.66 in size."""
    size = jnp.minimum(jnp.abs(action), LARGEST)
    return jnp.sign(action) * 0.5 * jnp.log1p(2 * size / (1 - size))
