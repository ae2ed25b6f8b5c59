"""The maze as a table."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.tabular import maze as mazes


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


def test_impossible_mazes_are_refused(key):
    with pytest.raises(
        ValueError,
        match="pitfalls must be at most 17, in a maze of 5 x 5 cells, got 18",
    ):
        mazes.random_tiles(key, 5, 18)
    with pytest.raises(ValueError, match=r"slip must be between 0 and 0.2, got 0.3"):
        mazes.maze(jnp.zeros((2, 3), int), slip=0.3)
