"""Finite Markov decision processes, and random ones to test schemes on.

Letters in shapes: S states, A actions, B next states of a pair, D features.
An MDP is a pytree, so `jax.vmap` turns a key axis into a batch of MDPs.

Sources: Garnets: Vieillard et al., "Leverage the Average", NeurIPS 2020,
https://arxiv.org/abs/2003.14089, Appendix D. Hard linear MDPs: Kitamura et al.,
"Regularization and Variance-Weighted Regression Achieves Minimax Optimality in Linear
MDPs", ICML 2023, https://arxiv.org/abs/2305.13185, Appendix L, and its notebook.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from agents.parts import checks


class MDP(NamedTuple):
    """A finite discounted MDP, or its estimate in one iteration of a scheme.

    Attributes:
        transitions: `[S, A, S]` P(s' | s, a).
        rewards: `[S, A]` r(s, a), expected.
        discount: `[]` gamma in [0, 1).
    """

    transitions: jax.Array
    rewards: jax.Array
    discount: jax.Array

    def backup(self, values: jax.Array) -> jax.Array:
        """Returns `[S, A]` r + gamma P v for `[S]` values v of the next state."""
        states, actions = self.rewards.shape
        chex.assert_shape(self.transitions, (states, actions, states))
        chex.assert_shape(values, (states,))
        return self.rewards + self.discount * (self.transitions @ values)


class Linear(NamedTuple):
    """An MDP that is linear in known features.

    Attributes:
        mdp: with r = phi theta and P = phi psi.
        features: `[S, A, D]` phi.
    """

    mdp: MDP
    features: jax.Array


def garnet(
    key: jax.Array,
    states: int,
    actions: int,
    branching: int,
    *,
    discount: float,
    rewarded: float = 0.1,
) -> MDP:
    """A random MDP, Garnet(N_S, N_A, N_B).

    Every pair leads to `branching` states drawn without replacement, with the gaps
    between sorted uniforms as probabilities. The reward depends on the state alone:
    U(0, 1) in a share of the states (rounded, at least one), 0 elsewhere.

    Args:
        key: equal keys give equal MDPs.
        states: S.
        actions: A.
        branching: B, at most S.
        discount: gamma.
        rewarded: share of the states that have a reward.

    Raises:
        InvalidSetting: `branching` is not between 1 and `states`.
    """
    if not 1 <= branching <= states:
        wanted = f"between 1 and {states}, the number of states"
        raise checks.InvalidSetting("branching", branching, wanted)
    next_key, cut_key, place_key, reward_key = jax.random.split(key, 4)
    # The places of the B largest of S uniforms are B states without replacement.
    scores = jax.random.uniform(next_key, (states, actions, states))
    successors = jax.lax.top_k(scores, branching)[1]
    cuts = jax.random.uniform(cut_key, (states, actions, branching - 1))
    ends = [(0, 0), (0, 0), (1, 1)]
    edges = jnp.pad(jnp.sort(cuts, axis=-1), ends).at[..., -1].set(1.0)
    chances = jnp.diff(edges, axis=-1)
    row, column = jnp.ogrid[:states, :actions]
    transitions = jnp.zeros((states, actions, states)).at[
        row[..., None], column[..., None], successors
    ]
    count = max(1, round(rewarded * states))
    places = jax.random.permutation(place_key, states)[:count]
    gains = jnp.zeros(states).at[places].set(jax.random.uniform(reward_key, (count,)))
    rewards = jnp.broadcast_to(gains[:, None], (states, actions))
    return MDP(transitions.set(chances), rewards, jnp.asarray(discount))


def hard_linear(
    key: jax.Array,
    *,
    actions: int = 30,
    features: int = 4,
    difference: float = 0.01,
    discount: float = 0.9,
) -> Linear:
    """Two states with actions that differ little: the lower bound's hard case.

    State 0 pays 1 and is kept with probability gamma + Delta <beta, a>; state 1 pays
    nothing and is never left. Actions are uniform in [0, 1]^(D - 2); beta is the last
    action.

    Args:
        key: equal keys give equal MDPs.
        actions: A.
        features: D, at least 3.
        difference: Delta, how much an action can matter; at most
            (1 - gamma) / (D - 2).
        discount: gamma.

    Raises:
        InvalidSetting: probabilities could leave [0, 1].
    """
    if difference * (features - 2) > 1 - discount or features < 3:
        wanted = "at most (1 - discount) / (features - 2), with features at least 3"
        raise checks.InvalidSetting("difference", difference, wanted)
    chosen = jax.random.uniform(key, (actions, features - 2))
    one, none = jnp.ones((actions, 1)), jnp.zeros((actions, 1))
    alive = jnp.concatenate([one, none, chosen], axis=-1)
    dead = jnp.concatenate([none, one, jnp.zeros_like(chosen)], axis=-1)
    phi = jnp.stack([alive, dead])
    beta = difference * chosen[-1]
    to_alive = jnp.concatenate([jnp.array([discount, 0.0]), beta])
    to_dead = jnp.concatenate([jnp.array([1 - discount, 1.0]), -beta])
    transitions = phi @ jnp.stack([to_alive, to_dead], axis=-1)
    return Linear(MDP(transitions, phi[..., 0], jnp.asarray(discount)), phi)
