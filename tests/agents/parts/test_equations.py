"""Equations shared by papers, against numbers worked out by hand."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from agents.parts import equations


def test_scaled_log_softmax_of_two_actions_by_hand():
    # softmax([0, ln 3 * 0.5] / 0.5) = [1/4, 3/4]
    q = jnp.array([0.0, 0.5 * np.log(3.0)])
    expected = 0.5 * np.log([0.25, 0.75])
    np.testing.assert_allclose(
        equations.scaled_log_softmax(q, 0.5), expected, rtol=1e-6
    )


@pytest.mark.parametrize("temperature", [1e-6, 0.03, 1.0, 1e4])
def test_scaled_log_softmax_is_finite_at_extreme_values(temperature):
    q = jnp.array([-1e8, 3.0, 1e8, 1e8])
    result = equations.scaled_log_softmax(q, temperature)
    assert np.all(np.isfinite(result)) and np.all(np.asarray(result) <= 0)


def test_scaled_log_softmax_normalises_each_row():
    q = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    result = equations.scaled_log_softmax(q, 0.3)
    np.testing.assert_allclose(np.exp(result / 0.3).sum(-1), np.ones(5), rtol=1e-5)
    np.testing.assert_allclose(
        result, 0.3 * scipy.special.log_softmax(q / 0.3, axis=-1), atol=1e-5
    )


def test_soft_value_is_expected_value_plus_entropy():
    q, temperature = jnp.array([1.0, -2.0, 0.5]), 0.7
    policy = jax.nn.softmax(q / temperature)
    scaled_log = equations.scaled_log_softmax(q, temperature)
    np.testing.assert_allclose(
        equations.soft_value(q, temperature), jnp.sum(policy * (q - scaled_log)), 1e-6
    )


@pytest.mark.parametrize("size", [3.0, 1e5, 3e7, 1e9, 1e12])
def test_soft_value_stays_with_the_maximum_however_large_values_are(size):
    # Compiled, since XLA joins the division and the subtraction of the maximum.
    q = size * jnp.array([[1.0, 0.9, -1.0], [0.9, 1.0, 0.3], [-1.0, -0.9, -0.8]])
    values = jax.jit(lambda q: equations.soft_value(q, 0.03))(q)
    excess = (values - jnp.max(q, axis=-1)) / size
    np.testing.assert_array_less(excess, 0.03 * np.log(3) / size + 1e-6)
    np.testing.assert_array_less(-1e-6, excess)


def test_soft_value_tends_to_the_maximum():
    q = jnp.array([1.0, -2.0, 1.5])
    np.testing.assert_allclose(equations.soft_value(q, 1e-4), 1.5, rtol=1e-5)


@pytest.mark.parametrize(
    ("error", "huber", "squared"),
    [(0.0, 0.0, 0.0), (-0.5, 0.125, 0.25), (1.0, 0.5, 1.0), (-3.0, 2.5, 9.0)],
)
def test_regression_losses_by_hand(error, huber, squared):
    np.testing.assert_allclose(
        equations.regression_loss(jnp.array(error), "huber"), huber
    )
    np.testing.assert_allclose(
        equations.regression_loss(jnp.array(error), "squared"), squared
    )


class EquationVariants(chex.TestCase):
    """Compiled and plain equations agree."""

    @chex.variants(with_jit=True, without_jit=True)
    def test_soft_value(self):
        q = jnp.array([[0.1, 0.2, 0.3], [1.0, 0.0, -1.0]])
        result = self.variant(lambda q: equations.soft_value(q, 0.5))(q)
        expected = 0.5 * scipy.special.logsumexp(np.asarray(q) / 0.5, axis=-1)
        np.testing.assert_allclose(result, expected, rtol=1e-6)


def test_the_action_gap_by_hand():
    """Largest minus second largest: 3 - 2.5 and 4 - 4; the mean of all is 2.5."""
    q = jnp.array([[1.0, 3.0, 2.5], [4.0, 4.0, 0.5]])
    metrics = equations.value_metrics(q)
    assert float(metrics["action_gap"]) == pytest.approx(0.25)
    assert float(metrics["q_mean"]) == pytest.approx(2.5)
    assert float(equations.value_metrics(jnp.ones((2, 1)))["action_gap"]) == 0.0
