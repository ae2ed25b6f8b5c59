"""Double precision and a small MDP with odd sizes, for all tests of this folder."""

import jax
import pytest

from agents.parts.double_precision import double_precision
from agents.tabular.mdp import MDP, garnet

STATES, ACTIONS, BRANCHING = 7, 3, 4


@pytest.fixture(autouse=True)
def in_double_precision():
    with double_precision():
        yield


@pytest.fixture
def mdp(in_double_precision) -> MDP:
    key = jax.random.key(5)
    return garnet(key, STATES, ACTIONS, BRANCHING, discount=0.85, rewarded=0.4)


@pytest.fixture
def q(mdp, key) -> jax.Array:
    """A first q_0 without ties."""
    return jax.random.normal(key, mdp.rewards.shape, mdp.rewards.dtype)
