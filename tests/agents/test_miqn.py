"""Munchausen IQN: its target by hand, and its limits."""

import jax.numpy as jnp
import numpy as np

from agents import iqn, miqn
from agents.parts import equations

# softmax(q / tau) with tau = 0.5 is [1/5, 4/5]; tau ln pi is [-0.804719, -0.111572].
TEMPERATURE = 0.5


Q_T = jnp.array([2.0, 2.0 + 0.5 * np.log(4.0)])


Z_T = jnp.array([[1.0, 10.0], [3.0, 20.0], [5.0, 40.0]])  # three quantiles


R_T, DISCOUNT_T = jnp.array(0.3), jnp.array(0.9)


def test_miqn_by_hand():
    # 0.2 (z0 + 0.804719) + 0.8 (z1 + 0.111572) = 0.2 z0 + 0.8 z1 + 0.250201
    # z0, z1 = 1, 10: 8.450201; 3, 20: 16.850201; 5, 40: 33.250201
    # 0.3 - 0.2 + 0.9 * those
    targets = miqn.targets(jnp.array(-0.2), R_T, DISCOUNT_T, Z_T, Q_T, TEMPERATURE)
    np.testing.assert_allclose(targets, [7.705181, 15.265181, 30.025181], rtol=1e-6)


def test_the_mean_of_miqns_targets_is_mdqns_target():
    """If the quantiles average to the action values that the policy is a softmax of."""
    z_t = Q_T[None] + jnp.array([[-1.0], [0.0], [1.0]])
    targets = miqn.targets(jnp.array(0.0), R_T, DISCOUNT_T, z_t, Q_T, TEMPERATURE)
    expected = R_T + DISCOUNT_T * equations.soft_value(Q_T, TEMPERATURE)
    np.testing.assert_allclose(jnp.mean(targets), expected, rtol=1e-6)


def test_miqn_without_munchausen_at_zero_temperature_is_iqn():
    cold = miqn.targets(jnp.array(0.0), R_T, DISCOUNT_T, Z_T, Q_T, 1e-7)
    np.testing.assert_allclose(cold, iqn.targets(R_T, DISCOUNT_T, Z_T, Q_T), rtol=1e-5)
