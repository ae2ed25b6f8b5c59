"""Operators on tables of values."""

import jax.numpy as jnp
import numpy as np

from agents.tabular.mdp import MDP


def test_a_backup_by_hand():
    transitions = jnp.array([[[0.5, 0.5], [0.0, 1.0]], [[1.0, 0.0], [0.25, 0.75]]])
    mdp = MDP(transitions, jnp.array([[1.0, 2.0], [3.0, 4.0]]), jnp.asarray(0.5))
    values = jnp.array([8.0, 4.0])
    np.testing.assert_allclose(mdp.backup(values), [[4.0, 4.0], [7.0, 6.5]])
