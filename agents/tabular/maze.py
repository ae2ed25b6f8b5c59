"""Grid mazes with pitfalls and slippery moves, as MDPs.

Source: Kitamura et al., "Regularization and Variance-Weighted Regression Achieves
Minimax Optimality in Linear MDPs", https://arxiv.org/abs/2305.13185, Section 7.2.1, and
its code: an open grid, start top left, goal bottom right; the goal pays 1 for every
step in it and is not absorbing; pitfalls are absorbing.

`reference_tiles` draws the mazes of the code. Deviations of `random_tiles`:
- Pitfalls are distinct cells; the code draws them with replacement.
- The four cells at the start and the four at the goal are never pitfalls; the code
  spares one cell at another corner and not the goal's diagonal neighbour.
"""

import chex
import jax
import jax.numpy as jnp
import numpy as np

from agents.parts import checks
from agents.tabular.mdp import MDP

EMPTY, GOAL, WALL, PITFALL = range(4)
MOVES = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))  # stay, up, down, left, right


def random_tiles(key: jax.Array, size: int, pitfalls: int) -> jax.Array:
    """Draws a `[size, size]` grid with pitfalls at random cells.

    Args:
        key: equal keys give equal grids.
        size: cells along a side, at least 4.
        pitfalls: number of pitfalls.

    Raises:
        InvalidSetting: the grid is too small for the pitfalls.
    """
    near = jnp.add.outer(jnp.arange(size) > 1, jnp.arange(size) > 1).ravel() == 0
    spared = near | near[::-1]  # two by two cells at either end
    if size < 4 or pitfalls > size * size - 8:
        wanted = (
            f"at most {max(size * size - 8, 0)}, in a maze of {size} x {size} cells"
        )
        raise checks.InvalidSetting("pitfalls", pitfalls, wanted)
    scores = jnp.where(spared, -1.0, jax.random.uniform(key, (size * size,)))
    places = jax.lax.top_k(scores, pitfalls)[1]
    tiles = jnp.full(size * size, EMPTY).at[places].set(PITFALL).at[-1].set(GOAL)
    return tiles.reshape(size, size)


def reference_tiles(seed: int, size: int = 25, pitfalls: int = 8) -> jax.Array:
    """The `[size, size]` grid of the authors' code for a seed; they have 1 to 20.

    Args:
        seed: of numpy's older generator, as in the code.
        size: cells along a side, at least 4.
        pitfalls: draws of a pitfall's cell, with replacement.
    """
    start, goal = (0, 0), (size - 1, size - 1)
    spared = [(0, 1), (1, 1), (1, 0), (-2, 0), (-2, -1), (-1, -2)]
    free = np.ones((size, size), bool)
    for cell in (start, goal, *spared):
        free[cell] = False
    rows, columns = np.nonzero(free)
    places = np.random.RandomState(seed).choice(len(rows), pitfalls)
    tiles = np.full((size, size), EMPTY)
    tiles[rows[places], columns[places]] = PITFALL
    tiles[goal] = GOAL
    return jnp.asarray(tiles)


def maze(tiles: jax.Array, *, slip: float = 0.1, discount: float = 0.995) -> MDP:
    """The MDP of a grid; state i is the cell `divmod(i, columns)`.

    Each possible move happens with probability `slip`, whatever the action; with the
    remaining probability the action's move happens, or none if it is blocked. No move
    leaves a pitfall or a wall, or enters a wall.

    Args:
        tiles: `[rows, columns]` of the constants above.
        slip: at most 1/5.
        discount: gamma.

    Raises:
        InvalidSetting: `slip` is negative, or slips alone could have probability > 1.
    """
    checks.between("slip", slip, 0, 1 / len(MOVES))
    chex.assert_rank(tiles, 2)
    rows, columns = tiles.shape
    cells = rows * columns
    down, right = jnp.array(MOVES).T
    row = jnp.add.outer(jnp.arange(cells) // columns, down)
    column = jnp.add.outer(jnp.arange(cells) % columns, right)
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    target = jnp.where(inside, row * columns + column, 0)
    kind = tiles.ravel()
    held = (kind == WALL) | (kind == PITFALL)
    free = inside & (kind[target] != WALL) & ~held[:, None]
    target = jnp.where(free, target, jnp.arange(cells)[:, None])
    slips = slip * free
    meant = 1 - jnp.sum(slips, axis=-1)[:, None, None]
    chances = slips[:, None] + meant * jnp.eye(len(MOVES))[None]
    transitions = jnp.einsum("sam,smt->sat", chances, jax.nn.one_hot(target, cells))
    rewards = jnp.repeat((kind == GOAL)[:, None], len(MOVES), axis=1)
    return MDP(transitions, rewards.astype(transitions.dtype), jnp.asarray(discount))
