"""Distributions over continuous actions: Gaussian, its tanh, and truncated to the box.

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

    def sample(self, key: jax.Array) -> jax.Array:
        """A reparameterised action, `[..., D]`; `key` is consumed."""
        return squash(self.base.sample(key))

    def sample_and_log_prob(self, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The action that `sample` gives, and its log-density `[...]`."""
        pre_tanh = self.base.sample(key)
        return squash(pre_tanh), self.log_prob_of_pre_tanh(pre_tanh)

    def median(self) -> jax.Array:
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


class TruncatedGaussian(NamedTuple):
    """Independent normal distributions, truncated to the box [-1, 1] of actions.

    Its log-density is quadratic in the action, finite everywhere in the box, both ends
    included, and exact at every float32 action.

    Attributes:
        base: the normal distributions before truncation, with means of which the box is
            at most 13 deviations away.
    """

    base: Gaussian

    def sample(self, key: jax.Array) -> jax.Array:
        """Actions `[..., D]`; `key` is consumed."""
        return self._quantile(jax.random.uniform(key, self.base.mean.shape))

    def median(self) -> jax.Array:
        """The action in the middle of each dimension's distribution, `[..., D]`.

        The action of highest density is an end of the box wherever the policy leans
        that way, however slightly.
        """
        return self._quantile(jnp.full_like(self.base.mean, 0.5))

    def _quantile(self, share: jax.Array) -> jax.Array:
        """Actions with a share `[..., D]` of the probability to one side of them.

        The inverse of the distribution function is taken in the left tail, of which
        float32 has 13 deviations; on the right it has five.
        """
        mean, std = self.base.mean, jnp.exp(self.base.log_std)
        distance, side = jnp.abs(mean), jnp.where(mean < 0, -1.0, 1.0)
        low, high = (jax.scipy.special.ndtr((end - distance) / std) for end in (-1, 1))
        drawn = low + share * (high - low)
        standard = jax.scipy.special.ndtri(jnp.clip(drawn, 1e-38, LARGEST))
        return jnp.clip(side * (distance + std * standard), -1.0, 1.0)

    def log_prob(self, action: jax.Array) -> jax.Array:
        """Log-density `[...]` of actions `[..., D]` in the box.

        Source: the normal density over its mass in the box. By symmetry the mean is
        taken to be positive, where that mass is a difference without cancellation.
        """
        distance, std = jnp.abs(self.base.mean), jnp.exp(self.base.log_std)
        below_high = jax.scipy.special.log_ndtr((1 - distance) / std)
        below_low = jax.scipy.special.log_ndtr((-1 - distance) / std)
        log_mass = below_high + jnp.log(-jnp.expm1(below_low - below_high))
        return self.base.log_prob(action) - jnp.sum(log_mass, axis=-1)


def squash(pre_tanh: jax.Array) -> jax.Array:
    """tanh(u), inside of (-1, 1) also where float32 would round it to an end."""
    return jnp.clip(jnp.tanh(pre_tanh), -LARGEST, LARGEST)


def unsquash(action: jax.Array) -> jax.Array:
    """artanh(a), exact for every float32 inside of (-1, 1); at most 8.66 in size."""
    size = jnp.minimum(jnp.abs(action), LARGEST)
    return jnp.sign(action) * 0.5 * jnp.log1p(2 * size / (1 - size))
