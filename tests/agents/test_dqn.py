"""DQN's equation, and the gradients of its loss."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from agents import REGISTRY, dqn
from agents.parts import sgd

Q_TM1 = jnp.array([1.0, 2.0, 99.0])  # 99: decoy, never the action taken
TARGET_Q_T = jnp.array([-3.0, 4.0, 3.5])


def test_td_error_by_hand():
    # 0.5 + 0.9 * 4 - 2 = 2.1
    error = dqn.td_error(Q_TM1, 1, jnp.array(0.5), jnp.array(0.9), TARGET_Q_T)
    np.testing.assert_allclose(error, 2.1, rtol=1e-6)


def test_termination_removes_the_bootstrap():
    error = dqn.td_error(Q_TM1, 0, jnp.array(-0.5), jnp.array(0.0), TARGET_Q_T)
    np.testing.assert_allclose(error, -1.5)


def test_gradient_flows_through_the_action_taken_only():
    gradient = jax.grad(dqn.td_error, argnums=(0, 4))(
        Q_TM1, 1, jnp.array(0.5), jnp.array(0.9), TARGET_Q_T
    )
    np.testing.assert_array_equal(gradient[0], [0.0, -1.0, 0.0])
    np.testing.assert_array_equal(gradient[1], np.zeros(3))


def test_the_variant_with_rmsprop_differs_in_its_optimiser_only():
    config = REGISTRY["dqn_rmsprop"].default()
    assert config.optimizer == sgd.RMSPROP
    assert dataclasses.replace(config, optimizer=sgd.Optimizer()) == dqn.Config()
