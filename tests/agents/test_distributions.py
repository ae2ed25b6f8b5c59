"""Densities against scipy, numerical integrals, and float64 at the tanh's ends."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from agents.parts import distributions
from agents.parts.distributions import (
    LARGEST,
    Gaussian,
    TanhGaussian,
    TruncatedGaussian,
)

MEAN = np.array([[0.3, -1.2, 2.0], [0.0, 0.7, -0.4]], np.float32)
LOG_STD = np.array([[-1.0, 0.2, 0.5], [-3.0, 0.0, 1.5]], np.float32)
NORMAL = scipy.stats.norm(MEAN.astype(float), np.exp(LOG_STD.astype(float)))


def exact_log_prob(action, mean, std):
    """In float64, straight from the change of variables."""
    action = np.asarray(action, np.float64)
    density = scipy.stats.norm(mean, std).logpdf(np.arctanh(action))
    return density - np.log((1 - action) * (1 + action))


def test_gaussian_is_scipys():
    value = np.random.default_rng(0).normal(size=MEAN.shape).astype(np.float32)
    np.testing.assert_allclose(
        Gaussian(MEAN, LOG_STD).log_prob(value), NORMAL.logpdf(value).sum(-1), rtol=1e-5
    )


def test_gaussian_samples_have_their_moments(key):
    wide = [jnp.broadcast_to(array[0], (20_000, 3)) for array in (MEAN, LOG_STD)]
    samples = np.asarray(Gaussian(*wide).sample(key))
    std = np.exp(LOG_STD[0])
    np.testing.assert_allclose(samples.mean(0), MEAN[0], atol=4 * std.max() / 141)
    np.testing.assert_allclose(samples.std(0), std, rtol=0.03)


def test_samples_carry_their_own_density(key):
    distribution = TanhGaussian(Gaussian(MEAN, LOG_STD))
    action, log_prob = distribution.sample_and_log_prob(key)
    expected = exact_log_prob(action, MEAN, np.exp(LOG_STD)).sum(-1)
    np.testing.assert_allclose(log_prob, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("log_std", [-2.0, 0.0, 1.0])
def test_the_density_integrates_to_one(log_std):
    u = np.linspace(-40, 40, 200_001)  # a = tanh(u), da = (1 - a^2) du
    distribution = TanhGaussian(Gaussian(jnp.array([0.5]), jnp.array([log_std])))
    log_prob = jax.vmap(distribution.log_prob_of_pre_tanh)(jnp.asarray(u)[:, None])
    # 1 - tanh(u)^2 in float64, without underflow
    log_slope = 2 * (np.log(2) - np.abs(u) - np.log1p(np.exp(-2 * np.abs(u))))
    mass = np.trapezoid if hasattr(np, "trapezoid") else np.trapz
    total = mass(np.exp(np.asarray(log_prob, np.float64) + log_slope), u)
    assert total == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("mean", [0.0, 3.0, 8.0])
def test_the_density_at_the_ends_is_that_of_float64(sign, mean):
    """Every float32 next to 1, and some on the way there: relative error 1e-5."""
    steps = np.array([1, 2, 3, 7, 50, 1_000, 100_000, 5_000_000])
    action = (sign * (1 - steps * 2.0**-24)).astype(np.float32)
    base = Gaussian(jnp.full(1, mean), jnp.full(1, np.log(0.5)))
    result = jax.vmap(TanhGaussian(base).log_prob)(jnp.asarray(action)[:, None])
    np.testing.assert_allclose(result, exact_log_prob(action, mean, 0.5), rtol=2e-5)


@pytest.mark.parametrize("size", [0.0, 1e-30, 1e-4, 0.5])
def test_unsquash_is_artanh_where_it_is_small(size):
    result = distributions.unsquash(jnp.array([size, -size], jnp.float32))
    exact = np.arctanh(np.float64(np.float32(size)))
    np.testing.assert_allclose(result, [exact, -exact], rtol=1e-6)


@pytest.mark.parametrize("pre_tanh", [-1e4, -20.0, 9.5, 50.0, np.inf])
def test_squash_never_reaches_the_ends(pre_tanh):
    action = distributions.squash(jnp.float32(pre_tanh))
    assert abs(float(action)) == LARGEST < 1.0
    assert np.isfinite(distributions.unsquash(action))


def test_an_end_counts_as_the_nearest_action_that_has_a_density():
    distribution = TanhGaussian(Gaussian(jnp.zeros(1), jnp.zeros(1)))
    for end in (-1.0, 1.0):
        at_end = distribution.log_prob(jnp.array([end]))
        assert np.isfinite(at_end)
        assert at_end == distribution.log_prob(jnp.array([end * LARGEST]))


def test_gradients_at_the_ends_are_finite():
    action = jnp.array([-1.0, LARGEST, 0.0])

    def log_prob(mean, log_std):
        return TanhGaussian(Gaussian(mean, log_std)).log_prob(action)

    gradients = jax.grad(log_prob, argnums=(0, 1))(jnp.zeros(3), jnp.zeros(3))
    # d/dm of -(u - m)^2 / 2 is u at m = 0.
    np.testing.assert_allclose(gradients[0], [-8.664, 8.664, 0.0], atol=1e-2)
    assert np.all(np.isfinite(gradients[1]))


def test_saturated_samples_keep_a_finite_density(key):
    base = Gaussian(jnp.full(3, 30.0), jnp.full(3, 1.0))
    action, log_prob = TanhGaussian(base).sample_and_log_prob(key)
    assert np.all(np.asarray(action) < 1.0) and np.isfinite(log_prob)


TRUNCATED = [
    (mean, std) for mean in (-1.5, -0.3, 0.0, 0.9, 1.2) for std in (0.05, 0.4, 2.7)
]


@pytest.mark.parametrize(("mean", "std"), TRUNCATED)
def test_truncated_gaussian_is_scipys(mean, std):
    """Everywhere in the box, both ends included."""
    action = np.float32([-1.0, -0.7, 0.0, 0.4, 1 - 2.0**-24, 1.0])
    base = Gaussian(jnp.array([mean]), jnp.log(jnp.array([std])))
    result = jax.vmap(TruncatedGaussian(base).log_prob)(jnp.asarray(action)[:, None])
    exact = scipy.stats.truncnorm(
        (-1 - mean) / std, (1 - mean) / std, loc=mean, scale=std
    )
    expected = exact.logpdf(np.clip(action.astype(float), -1, 1))
    np.testing.assert_allclose(result, expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(("mean", "std"), TRUNCATED)
def test_truncated_samples_have_their_distribution(key, mean, std):
    base = Gaussian(jnp.full(2_000, mean), jnp.full(2_000, np.log(std)))
    samples = np.asarray(TruncatedGaussian(base).sample(key))
    assert np.all(np.abs(samples) <= 1)
    exact = scipy.stats.truncnorm(
        (-1 - mean) / std, (1 - mean) / std, loc=mean, scale=std
    )
    assert samples.mean() == pytest.approx(exact.mean(), abs=5 * exact.std() / 44)
    assert samples.std() == pytest.approx(exact.std(), rel=0.1)


def test_truncated_gradients_are_finite_everywhere():
    means, log_stds = np.meshgrid(np.linspace(-2, 2, 9), np.linspace(-3, 1, 9))

    def log_prob(mean, log_std):
        base = Gaussian(mean, log_std)
        return TruncatedGaussian(base).log_prob(jnp.ones_like(mean))

    gradients = jax.grad(log_prob, argnums=(0, 1))(
        *(jnp.float32(array.ravel()) for array in (means, log_stds))
    )
    assert all(np.all(np.isfinite(gradient)) for gradient in gradients)


def test_the_median_of_a_truncated_gaussian_halves_its_mass():
    means, log_stds = np.array([-1.5, -0.2, 0.0, 2.0]), np.array([1.0, -1.0, 0.0, -2.0])
    stds = np.exp(log_stds)
    low, high = (-1 - means) / stds, (1 - means) / stds
    expected = scipy.stats.truncnorm.median(low, high, loc=means, scale=stds)
    base = Gaussian(jnp.float32(means), jnp.float32(log_stds))
    np.testing.assert_allclose(TruncatedGaussian(base).median(), expected, atol=1e-5)
    # A slight lean is a small step from the middle, not one to the end of the box.
    slight = TruncatedGaussian(Gaussian(jnp.array([0.3]), jnp.array([1.0])))
    assert 0 < float(slight.median()[0]) < 0.05


def test_the_median_is_the_tanh_of_the_mean():
    distribution = TanhGaussian(Gaussian(MEAN, LOG_STD))
    np.testing.assert_allclose(distribution.median(), np.tanh(MEAN), rtol=1e-6)
