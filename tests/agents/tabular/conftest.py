"""Double precision and a small MDP with odd sizes, for all tests of this folder."""

import jax
import pytest
from jax.experimental import enable_x64

from agents.tabular.mdp import MDP, garnet

STATES, ACTIONS, BRANCHING = 7, 3, 4


@pytest.fixture(autouse=True)
def double_precision():
    with enable_x64():
        yield


@pytest.fixture
def mdp(double_precision) -> MDP:
    key = jax.random.key(5)
    return garnet(key, STATES, ACTIONS, BRANCHING, discount=0.85, rewarded=0.4)


@pytest.fixture
def q(mdp, key) -> jax.Array:
    """A first q_0 without ties."""
    return jax.random.normal(key, mdp.rewards.shape, mdp.rewards.dtype)
