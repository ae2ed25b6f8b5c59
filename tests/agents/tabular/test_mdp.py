import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.parts.double_precision import double_precision
from agents.tabular.mdp import garnet, hard_linear


def test_a_garnet_has_its_branching_and_its_rewarded_states(key):
    keys = jax.random.split(key, 20)
    make = jax.vmap(lambda k: garnet(k, 11, 3, 4, discount=0.9, rewarded=0.2))
    mdps = make(keys)
    assert mdps.transitions.shape == (20, 11, 3, 11)
    np.testing.assert_allclose(mdps.transitions.sum(-1), 1, atol=1e-12)
    assert (mdps.transitions >= 0).all()
    assert ((mdps.transitions > 0).sum(-1) == 4).all()
    assert (mdps.rewards == mdps.rewards[..., :1]).all()
    assert ((mdps.rewards[..., 0] > 0).sum(-1) == 2).all()  # round(0.2 x 11)
    assert mdps.rewards.max() < 1
    # Of 20 x 11 x 3 x 4 successors every state has its share, 240 expected.
    share = (mdps.transitions > 0).sum((0, 1, 2))
    assert share.min() > 180 and share.max() < 300
    # A gap between B - 1 uniforms is Beta(1, B - 1): mean 1 / 4, variance 3 / 80.
    gaps = mdps.transitions[mdps.transitions > 0]
    assert gaps.var() == pytest.approx(3 / 80, rel=0.1)


def test_equal_keys_give_equal_garnets(key):
    first, again = (garnet(key, 5, 2, 3, discount=0.9) for _ in range(2))
    other = garnet(jax.random.key(1), 5, 2, 3, discount=0.9)
    np.testing.assert_array_equal(first.transitions, again.transitions)
    assert not np.array_equal(first.transitions, other.transitions)


@pytest.mark.parametrize("branching", [0, 6])
def test_a_branching_that_does_not_fit_is_refused(key, branching):
    with pytest.raises(
        ValueError, match=f"branching must be between 1 and 5.*, got {branching}"
    ):
        garnet(key, 5, 2, branching, discount=0.9)


def test_single_precision_stays_single(key):
    with double_precision(False):
        mdp = garnet(key, 5, 2, 3, discount=0.9)
        assert {leaf.dtype for leaf in mdp} == {jnp.dtype("float32")}
        np.testing.assert_allclose(mdp.transitions.sum(-1), 1, atol=1e-6)


def test_shapes_that_do_not_fit_are_caught(mdp):
    with pytest.raises(AssertionError):
        mdp.backup(jnp.zeros(3))
    with pytest.raises(AssertionError):
        mdp._replace(transitions=mdp.transitions[:, :2]).backup(jnp.zeros(7))


def test_the_hard_mdp_is_linear_in_its_features(key):
    mdp, phi = hard_linear(key, actions=5, features=6, difference=0.02, discount=0.9)
    assert phi.shape == (2, 5, 6)
    np.testing.assert_allclose(mdp.transitions.sum(-1), 1, atol=1e-12)
    beta = phi[0, -1, 2:]
    np.testing.assert_allclose(
        mdp.transitions[0, :, 0], 0.9 + 0.02 * phi[0, :, 2:] @ beta
    )
    np.testing.assert_allclose(mdp.transitions[1, :, 1], 1)
    np.testing.assert_array_equal(mdp.rewards, [[1] * 5, [0] * 5])
    for target in (mdp.rewards, mdp.transitions[..., 0]):
        flat = phi.reshape(-1, 6)
        fit = np.linalg.lstsq(flat, target.ravel(), rcond=None)[0]
        np.testing.assert_allclose(flat @ fit, target.ravel(), atol=1e-12)


def test_a_hard_mdp_with_probabilities_above_one_is_refused(key):
    with pytest.raises(ValueError, match=r"difference must be at most .*, got 0\.06"):
        hard_linear(key, features=4, difference=0.06, discount=0.9)


@pytest.mark.parametrize("rewarded, count", [(0.25, 3), (0.2, 2), (0.01, 1)])
def test_the_number_of_rewarded_states_is_rounded(key, rewarded, count):
    mdp = garnet(key, 11, 3, 4, discount=0.9, rewarded=rewarded)  # 2.75, 2.2, 0.11
    assert (mdp.rewards[:, 0] > 0).sum() == count
