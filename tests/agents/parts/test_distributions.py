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
    Histogram,
    TanhGaussian,
)

MEAN = np.array([[0.3, -1.2, 2.0], [0.0, 0.7, -0.4]], np.float32)
LOG_STD = np.array([[-1.0, 0.2, 0.5], [-3.0, 0.0, 1.5]], np.float32)
NORMAL = scipy.stats.norm(MEAN.astype(float), np.exp(LOG_STD.astype(float)))


def exact_log_prob(action, mean, std):
    """Log-density in float64, directly from the change of variables."""
    action = np.asarray(action, np.float64)
    density = scipy.stats.norm(mean, std).logpdf(np.arctanh(action))
    return density - np.log((1 - action) * (1 + action))


def test_gaussian_density_is_that_of_scipy():
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


def test_sampled_actions_come_with_their_log_density(key):
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
    """At the float32 numbers next to 1 and some smaller ones: relative error 1e-5."""
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
    # JAX's tanh of 9.5 is some units of the last place below the largest number.
    assert LARGEST - 4e-7 < abs(float(action)) <= LARGEST < 1.0
    assert np.isfinite(distributions.unsquash(action))


def test_an_action_at_the_end_has_the_density_of_its_neighbour():
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


def test_density_and_entropy_of_a_tanh_gaussian_are_those_of_its_density(key):
    base = Gaussian(jnp.array([0.3, -0.5]), jnp.log(jnp.array([0.4, 0.7])))
    grid = (np.arange(400) + 0.5) / 200 - 1
    pairs = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    pairs = jnp.asarray(pairs, jnp.float32)
    many = Gaussian(*(jnp.broadcast_to(each, pairs.shape) for each in base))
    densities = np.exp(np.float64(TanhGaussian(many).log_prob(pairs)))
    # The box has an area of 4.
    np.testing.assert_allclose(4 * densities.mean(), 1.0, rtol=1e-3)
    exact = -4 * np.mean(densities * np.log(densities))
    many = Gaussian(*(jnp.broadcast_to(each, (20_000, 2)) for each in base))
    drawn = TanhGaussian(many).entropy(key)
    assert drawn.shape == (20_000,)
    np.testing.assert_allclose(drawn.mean(), exact, atol=0.03)


LOGITS = np.float32([[0.3, -2.0, 1.1, 0.0, 0.7], [-9.0, 0.0, 4.0, 30.0, 2.0]])


def exact_histograms():
    """Scipy's histograms, with bins of width 0.4 and the logits `LOGITS`."""
    weights = np.exp(np.float64(LOGITS))
    edges = np.linspace(-1, 1, 6)
    return [
        scipy.stats.rv_histogram((row / row.sum(), edges), density=False)
        for row in weights
    ]


def test_histogram_density_is_that_of_scipy():
    """Everywhere in the box, both ends included."""
    action = np.float32([[-1.0, 0.5], [-0.7, -0.39], [0.19, 0.21], [1 - 2.0**-24, 1.0]])
    logits = jnp.broadcast_to(LOGITS, (4, 2, 5))
    expected = sum(
        exact.logpdf(np.clip(action[:, dimension].astype(float), -1, 1 - 1e-9))
        for dimension, exact in enumerate(exact_histograms())
    )
    result = Histogram(logits).log_prob(jnp.asarray(action))
    np.testing.assert_allclose(result, expected, rtol=2e-5)


def test_the_density_of_a_histogram_integrates_to_one():
    grid = (np.arange(50) + 0.5) / 25 - 1
    pairs = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    logits = jnp.broadcast_to(LOGITS, (len(pairs), 2, 5))
    densities = np.exp(Histogram(logits).log_prob(jnp.asarray(pairs, jnp.float32)))
    np.testing.assert_allclose(4 * densities.mean(), 1.0, rtol=1e-5)


def test_samples_of_a_histogram_have_its_distribution(key):
    logits = jnp.broadcast_to(LOGITS, (4_000, 2, 5))
    samples = np.asarray(Histogram(logits).sample(key))
    assert np.all(np.abs(samples) <= 1)
    for drawn, exact in zip(samples.T, exact_histograms(), strict=True):
        assert scipy.stats.kstest(drawn, exact.cdf).pvalue > 0.01


def test_the_median_of_a_histogram_halves_its_mass():
    median = Histogram(jnp.asarray(LOGITS)).median()
    expected = [exact.median() for exact in exact_histograms()]
    np.testing.assert_allclose(median, expected, atol=1e-5)
    np.testing.assert_allclose(Histogram(jnp.zeros((1, 7))).median(), 0.0, atol=1e-6)


def test_the_entropy_of_a_histogram_is_that_of_scipy(key):
    expected = sum(exact.entropy() for exact in exact_histograms())
    np.testing.assert_allclose(
        Histogram(jnp.asarray(LOGITS)).entropy(key), expected, rtol=1e-5
    )
    # Of uniform actions in [-1, 1]^3: 3 ln 2.
    uniform = Histogram(jnp.zeros((3, 31))).entropy(key)
    np.testing.assert_allclose(uniform, 3 * np.log(2), rtol=1e-6)


def test_bins_without_probability_are_never_drawn():
    """Also where the first bin, or all bins but one, have probability 0 in float32."""
    logits = jnp.array([[-200.0, 0.0, -200.0, 0.0], [-200.0, -200.0, -200.0, 0.0]])
    shares = jnp.linspace(0, 1, 101, endpoint=False)
    drawn = np.asarray(
        jax.vmap(lambda u: Histogram(logits)._quantile(jnp.full(2, u)))(shares)
    )
    first, second = drawn.T
    assert np.all((np.abs(first + 0.25) <= 0.25) | (first >= 0.5))
    assert np.all(second >= 0.5)


def test_the_median_is_the_tanh_of_the_mean():
    distribution = TanhGaussian(Gaussian(MEAN, LOG_STD))
    np.testing.assert_allclose(distribution.median(), np.tanh(MEAN), rtol=1e-6)
