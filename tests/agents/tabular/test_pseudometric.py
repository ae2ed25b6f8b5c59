import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.tabular.mdp import MDP
from agents.tabular.pseudometric import iterate, operator, states_apart


@pytest.fixture
def deterministic(mdp):
    """The same MDP where every pair leads to its likeliest next state."""
    likeliest = jnp.argmax(mdp.transitions, axis=-1)
    return mdp._replace(transitions=jax.nn.one_hot(likeliest, len(mdp.transitions)))


def any_distances(key, mdp):
    return jax.random.uniform(key, mdp.rewards.shape * 2, mdp.rewards.dtype)


def test_the_operator_by_hand():
    # State 0: action 0 stays and pays 1, action 1 leads to state 1; state 1 stays.
    transitions = jnp.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]])
    mdp = MDP(transitions, jnp.array([[1.0, 0.0], [0.5, 0.25]]), jnp.asarray(0.8))
    distances = jnp.arange(16.0).reshape(2, 2, 2, 2)
    # d((0, u), (1, u)) is 2 and 7, d((1, u), (0, u)) is 8 and 13.
    np.testing.assert_allclose(states_apart(distances), [[2.5, 4.5], [10.5, 12.5]])
    once = operator(mdp, distances)
    np.testing.assert_allclose(once[0, 0, 0, 1], 1.0 + 0.8 * 4.5)
    np.testing.assert_allclose(once[0, 1, 0, 0], 1.0 + 0.8 * 10.5)
    np.testing.assert_allclose(once[1, 1, 0, 0], 0.75 + 0.8 * 10.5)
    np.testing.assert_allclose(once[1, 0, 1, 1], 0.25 + 0.8 * 12.5)


def test_independent_next_states_by_hand():
    transitions = jnp.array([[[0.25, 0.75]], [[0.0, 1.0]]])
    mdp = MDP(transitions, jnp.array([[0.0], [2.0]]), jnp.asarray(0.5))
    distances = jnp.array([[0.0, 4.0], [4.0, 0.0]]).reshape(2, 1, 2, 1)
    # The pair (0, 0) from itself: with probability 2 x 1/4 x 3/4 a distance of 4.
    expected = [[0.5 * 0.375 * 4, 2 + 0.5 * 0.25 * 4], [2.5, 0.0]]
    np.testing.assert_allclose(operator(mdp, distances).reshape(2, 2), expected)


def test_the_operator_contracts_by_the_discount(mdp, key):
    one, two = (any_distances(k, mdp) for k in jax.random.split(key))
    before = jnp.max(jnp.abs(one - two))
    after = jnp.max(jnp.abs(operator(mdp, one) - operator(mdp, two)))
    assert after <= mdp.discount * before
    # A constant difference shows that no smaller factor holds.
    shifted = operator(mdp, one + 3.0) - operator(mdp, one)
    np.testing.assert_allclose(shifted, 3.0 * mdp.discount)


def test_iterations_from_any_start_reach_the_same_fixed_point(deterministic, key):
    zeros = jnp.zeros(deterministic.rewards.shape * 2)
    fixed = iterate(deterministic, zeros, 200)
    other = iterate(deterministic, 9.0 * any_distances(key, deterministic), 200)
    np.testing.assert_allclose(fixed, other, atol=1e-11)
    np.testing.assert_allclose(operator(deterministic, fixed), fixed, atol=1e-12)
    assert fixed.max() > 0.1


def test_the_fixed_point_is_a_pseudometric(deterministic):
    fixed = iterate(deterministic, jnp.zeros(deterministic.rewards.shape * 2), 200)
    pairs = deterministic.rewards.size
    square = np.asarray(fixed.reshape(pairs, pairs))
    np.testing.assert_allclose(square, square.T, atol=1e-12)
    np.testing.assert_array_equal(np.diag(square), 0)
    detours = (square[:, :, None] + square[None]).min(axis=1)
    assert (square <= detours + 1e-12).all()


def test_pairs_with_equal_rewards_and_successors_have_distance_zero():
    # Both actions of state 0, and both states 1 and 2, are copies.
    to = jax.nn.one_hot(jnp.array([[1, 2], [1, 1], [2, 2]]), 3)
    mdp = MDP(to, jnp.array([[1.0, 1.0], [0.3, 0.3], [0.3, 0.3]]), jnp.asarray(0.9))
    fixed = iterate(mdp, jnp.zeros((3, 2, 3, 2)), 300)
    np.testing.assert_allclose(fixed[0, 0, 0, 1], 0, atol=1e-12)
    np.testing.assert_allclose(fixed[1, :, 2, :], 0, atol=1e-12)
    np.testing.assert_allclose(fixed[0, 0, 1, 0], 0.7, atol=1e-9)


def test_distances_of_other_sizes_are_caught(mdp):
    with pytest.raises(AssertionError):
        operator(mdp, jnp.zeros((3, 7, 3, 7)))
