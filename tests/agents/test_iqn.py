"""Targets of IQN by hand, and settings of IQN and M-IQN."""

import jax.numpy as jnp
import numpy as np
import pytest

from agents import REGISTRY, iqn, miqn

# softmax(q / tau) with tau = 0.5 is [1/5, 4/5]; tau ln pi is [-0.804719, -0.111572].
TEMPERATURE = 0.5
Q_T = jnp.array([2.0, 2.0 + 0.5 * np.log(4.0)])
Z_T = jnp.array([[1.0, 10.0], [3.0, 20.0], [5.0, 40.0]])  # three quantiles
R_T, DISCOUNT_T = jnp.array(0.3), jnp.array(0.9)


def test_iqn_bootstraps_from_the_action_of_largest_mean():
    # The second action is best: 0.3 + 0.9 * [10, 20, 40].
    targets = iqn.targets(R_T, DISCOUNT_T, Z_T, Q_T)
    np.testing.assert_allclose(targets, [9.3, 18.3, 36.3], rtol=1e-6)


def test_termination_removes_the_bootstrap():
    np.testing.assert_allclose(iqn.targets(R_T, jnp.array(0.0), Z_T, Q_T), [0.3] * 3)
    end = miqn.targets(jnp.array(-0.2), R_T, jnp.array(0.0), Z_T, Q_T, TEMPERATURE)
    np.testing.assert_allclose(end, [0.1] * 3, rtol=1e-6)


def test_defaults_are_the_references():
    config = iqn.Config()
    assert (config.online_fractions, config.target_fractions) == (64, 64)
    assert (config.acting_fractions, config.cosines) == (32, 64)
    assert config.storage.n_step == 3
    config = miqn.Config()
    assert (config.temperature, config.munchausen) == (0.03, 0.9)
    assert (config.log_policy_floor, config.storage.n_step) == (-1.0, 1)
    assert config.optimizer.learning_rate == 5e-5


@pytest.mark.parametrize("name", ["iqn", "miqn"])
@pytest.mark.parametrize("field", ["online_fractions", "target_fractions", "cosines"])
def test_numbers_of_fractions_are_checked(name, field):
    with pytest.raises(ValueError, match=rf"{field} must be at least 1, got 0"):
        REGISTRY[name].config(**{field: 0})
