import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import disable_x64

from agents.tabular import maze as mazes
from agents.tabular.mdp import MDP, garnet, hard_linear


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


def test_garnets_are_their_keys(key):
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
    with disable_x64():
        mdp = garnet(key, 5, 2, 3, discount=0.9)
        assert {leaf.dtype for leaf in mdp} == {jnp.dtype("float32")}
        np.testing.assert_allclose(mdp.transitions.sum(-1), 1, atol=1e-6)


def test_a_backup_by_hand():
    transitions = jnp.array([[[0.5, 0.5], [0.0, 1.0]], [[1.0, 0.0], [0.25, 0.75]]])
    mdp = MDP(transitions, jnp.array([[1.0, 2.0], [3.0, 4.0]]), jnp.asarray(0.5))
    values = jnp.array([8.0, 4.0])
    np.testing.assert_allclose(mdp.backup(values), [[4.0, 4.0], [7.0, 6.5]])


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


def test_a_hard_mdp_whose_chances_could_pass_one_is_refused(key):
    with pytest.raises(ValueError, match=r"difference is 0\.06"):
        hard_linear(key, features=4, difference=0.06, discount=0.9)


def test_a_maze_by_hand():
    tiles = jnp.array([[mazes.EMPTY, mazes.WALL, mazes.EMPTY],
                       [mazes.EMPTY, mazes.PITFALL, mazes.GOAL]])  # fmt: skip
    mdp = mazes.maze(tiles, slip=0.1, discount=0.9)
    assert mdp.transitions.shape == (6, 5, 6)
    stay, _, down, _, right = range(5)
    # Top left: a wall to the right, so only staying and down can be slipped into.
    np.testing.assert_allclose(mdp.transitions[0, down, [0, 3]], [0.1, 0.9])
    np.testing.assert_allclose(mdp.transitions[0, right, [0, 3]], [0.9, 0.1])
    # Bottom left: staying, up and right (the pitfall).
    np.testing.assert_allclose(mdp.transitions[3, right, [3, 0, 4]], [0.1, 0.1, 0.8])
    for held in (1, 4):  # wall and pitfall
        np.testing.assert_allclose(mdp.transitions[held, :, held], 1)
    np.testing.assert_allclose(mdp.transitions[5, stay, [5, 2, 4]], [0.8, 0.1, 0.1])
    np.testing.assert_array_equal(mdp.rewards[:, 0], [0, 0, 0, 0, 0, 1])
    np.testing.assert_allclose(mdp.transitions.sum(-1), 1)


def test_random_mazes_spare_start_and_goal(key):
    make = jax.vmap(lambda k: mazes.random_tiles(k, 5, 9))
    tiles = np.asarray(make(jax.random.split(key, 30)))
    assert ((tiles == mazes.PITFALL).sum((1, 2)) == 9).all()
    assert (tiles[:, -1, -1] == mazes.GOAL).all()
    assert not (tiles[:, :2, :2] == mazes.PITFALL).any()
    assert not (tiles[:, -2:, -2:] == mazes.PITFALL).any()
    assert len({grid.tobytes() for grid in tiles}) > 25


def test_mazes_that_cannot_be_are_refused(key):
    with pytest.raises(ValueError, match="18 pitfalls do not fit in 5 x 5"):
        mazes.random_tiles(key, 5, 18)
    with pytest.raises(ValueError, match=r"slip must be between 0 and 0.2, got 0.3"):
        mazes.maze(jnp.zeros((2, 3), int), slip=0.3)
