"""Distributions over continuous actions: Gaussian, its tanh, and histograms.

The tanh-Gaussian is computed in pre-tanh coordinates, u = artanh(a). Its density is
exact at the executed and stored action itself, a float32 number inside (-1, 1): 1 - a
is exact in floating point next to 1, and `squash` never returns -1 or 1, where there is
no density. So the replay stores neither pre-tanh values nor log-probabilities.
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
        """The median action, `[..., D]`: tanh of the mean."""
        return squash(self.base.mean)

    def log_prob(self, action: jax.Array) -> jax.Array:
        """Log-density `[...]` of actions `[..., D]`, as `squash` returns them.

        An action of -1 or 1 is replaced by the nearest action that has a density.
        """
        return self.log_prob_of_pre_tanh(unsquash(action))

    def entropy(self, key: jax.Array) -> jax.Array:
        """An unbiased estimate `[...]` of the entropy in nats; `key` is consumed."""
        return -self.sample_and_log_prob(key)[1]

    def log_prob_of_pre_tanh(self, pre_tanh: jax.Array) -> jax.Array:
        """Log-density `[...]` of the actions tanh(u) for u `[..., D]`, of any size.

        Source: change of variables; SAC (arXiv 1812.05905), appendix C. The logarithm
        of 1 - tanh(u)^2 is 2 (ln 2 - u - softplus(-2 u)), which never underflows.
        """
        log_slope = 2 * (np.log(2) - pre_tanh - jax.nn.softplus(-2 * pre_tanh))
        return self.base.log_prob(pre_tanh) - jnp.sum(log_slope, axis=-1)


class Histogram(NamedTuple):
    """Independent densities on [-1, 1] that are constant within each of K bins.

    Log-density and samples are finite and exact at every action of the box, both ends
    included.

    Attributes:
        logits: `[..., D, K]` logarithms of the bins' probabilities, up to a constant.
    """

    logits: jax.Array

    def sample(self, key: jax.Array) -> jax.Array:
        """Actions `[..., D]`; `key` is consumed."""
        return self._quantile(jax.random.uniform(key, self.logits.shape[:-1]))

    def median(self) -> jax.Array:
        """The median of each dimension's distribution, `[..., D]`."""
        return self._quantile(jnp.full(self.logits.shape[:-1], 0.5))

    def _quantile(self, share: jax.Array) -> jax.Array:
        """Quantiles `[..., D]` at the fractions `share [..., D]` in [0, 1)."""
        bins = self.logits.shape[-1]
        probability = jax.nn.softmax(self.logits)
        left = jnp.cumsum(probability, axis=-1) - probability
        # The last bin that begins at or below the share. Bins whose probability is 0
        # in float32 begin where the next bin does, or at 1, and are skipped.
        reached = (left <= share[..., None]) & (probability > 0)
        index = bins - 1 - jnp.argmax(reached[..., ::-1], axis=-1)
        begin, inside = _at(left, index), _at(probability, index)
        place = index + jnp.clip((share - begin) / inside, 0.0, 1.0)
        return 2 * place / bins - 1

    def log_prob(self, action: jax.Array) -> jax.Array:
        """Log-density `[...]` of actions `[..., D]`."""
        chex.assert_equal_shape([action, self.logits[..., 0]])
        bins = self.logits.shape[-1]
        index = jnp.clip(jnp.floor((action + 1) * (bins / 2)), 0, bins - 1)
        log_probability = _at(jax.nn.log_softmax(self.logits), index.astype(jnp.int32))
        # A bin's density is its probability over its width, 2 / K.
        return jnp.sum(log_probability + np.log(bins / 2), axis=-1)

    def entropy(self, key: jax.Array) -> jax.Array:
        """The entropy `[...]` in nats, summed over dimensions; exact, without `key`."""
        log_probability = jax.nn.log_softmax(self.logits)
        probability = jnp.exp(log_probability)
        # A bin's density is its probability over its width, 2 / K.
        log_density = log_probability + np.log(self.logits.shape[-1] / 2)
        return -jnp.sum(probability * log_density, axis=(-2, -1))


def _at(values: jax.Array, index: jax.Array) -> jax.Array:
    """Entries `[..., D]` of values `[..., D, K]` at indices `[..., D]`."""
    return jnp.take_along_axis(values, index[..., None], axis=-1)[..., 0]


def squash(pre_tanh: jax.Array) -> jax.Array:
    """tanh(u), kept inside (-1, 1) where float32 would round it to -1 or 1."""
    return jnp.clip(jnp.tanh(pre_tanh), -LARGEST, LARGEST)


def unsquash(action: jax.Array) -> jax.Array:
    """artanh(a), exact for every float32 inside (-1, 1); at most 8.66 in size."""
    size = jnp.minimum(jnp.abs(action), LARGEST)
    return jnp.sign(action) * 0.5 * jnp.log1p(2 * size / (1 - size))
