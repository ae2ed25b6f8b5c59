"""The exact pseudometric between state-action pairs of a finite MDP.

Dadashi et al., "Offline Reinforcement Learning with Pseudometric Learning", ICML 2021,
https://arxiv.org/abs/2103.01948.

Distances are `[S, A, S, A]`: between the pair of the first two axes and that of the
last two.

Deviations:
- If an MDP is not deterministic, the two next states are independent, as they are on
  average in the loss on pairs of logged transitions. The fixed point then is symmetric
  and obeys the triangle inequality, but a pair may have a distance from itself.
"""

import chex
import jax
import jax.numpy as jnp

from agents.tabular.mdp import MDP


def states_apart(distances: jax.Array) -> jax.Array:
    """Returns `[S, S]` E_u d((s1, u), (s2, u)), u uniform and the same in both."""
    states, actions = distances.shape[:2]
    chex.assert_shape(distances, (states, actions, states, actions))
    return jnp.mean(jnp.diagonal(distances, axis1=1, axis2=3), axis=-1)


def operator(mdp: MDP, distances: jax.Array) -> jax.Array:
    """Returns F d, `[S, A, S, A]`: the rewards' difference plus the next states'.

    (F d)((s1, a1), (s2, a2)) = |r1 - r2| + gamma E d((s1', u), (s2', u)), a contraction
    by gamma in the largest absolute difference.
    """
    chex.assert_shape(distances, mdp.rewards.shape * 2)
    next_states_apart = jnp.einsum(
        "sau,uv,tbv->satb",
        mdp.transitions,
        states_apart(distances),
        mdp.transitions,
    )
    rewards_apart = jnp.abs(jnp.subtract.outer(mdp.rewards, mdp.rewards))
    return rewards_apart + mdp.discount * next_states_apart


def iterate(mdp: MDP, distances: jax.Array, iterations: int) -> jax.Array:
    """Returns F^n d, `[S, A, S, A]`, within gamma^n of the fixed point."""
    chex.assert_shape(distances, mdp.rewards.shape * 2)
    return jax.lax.fori_loop(
        0, iterations, lambda _, current: operator(mdp, current), distances
    )
