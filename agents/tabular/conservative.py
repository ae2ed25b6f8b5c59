"""Conservative and safe policy iteration: stochastic mixtures with the greedy policy.

pi_{k+1} = (1 - a_k) pi_k + a_k G(q_k), q_{k+1} = q_{pi_{k+1}} or T_{pi_{k+1}} q_k.

| symbol | here |
| --- | --- |
| a_k | `rate` |
| mu | `start`, where episodes begin |
| d | `solvers.occupancy`, sums to 1 |
| A = <d, <G(q) - pi, q>> | `advantage` |

Kakade and Langford, "Approximately Optimal Approximate Reinforcement Learning", 2002;
Pirotta et al., "Safe Policy Iteration", 2013, with a single rate. The mixtures
of Vieillard et al., "Deep Conservative Policy Iteration", https://arxiv.org/abs/1906.09784,
are `evaluations=1`.

Deviations:
- The bounds hold for q_0 = q_{pi_0}, the start that `start_values` gives; any other
  start costs one step.
- Values are not scaled by 1 - gamma, so Kakade and Langford's rate has that factor
  twice.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from agents.tabular import operators, solvers
from agents.tabular.mdp import MDP
from agents.tabular.schemes import Iterate, Scheme
from agents.tabular.schemes import start as begin

Rate = Callable[[MDP, jax.Array, jax.Array, jax.Array], jax.Array]
"""From the MDP, `[S, A]` pi_k, `[S, A]` G(q_k) and `[S, A]` q_k to a_k in [0, 1]."""


def conservative_policy_iteration(
    rate: Rate, *, evaluations: int | None = None
) -> Scheme:
    """CPI with constant or adaptive rates; with `safe` rates it is SPI.

    Args:
        rate: a_k.
        evaluations: 1 for a step of value iteration; None for exact q_pi.
    """

    def step(state: Iterate, mdp: MDP) -> Iterate:
        policy = jnp.exp(state.log_policy)
        target = jnp.exp(operators.greedy(state.q))
        weight = rate(mdp, policy, target, state.q)
        log_policy = jnp.log((1 - weight) * policy + weight * target)
        q = solvers.evaluated(mdp, log_policy, state.q, evaluations)
        return Iterate(log_policy, q, state.average, state.iteration + 1)

    return Scheme(begin, step)


def start_values(mdp: MDP) -> jax.Array:
    """Returns `[S, A]` q of the uniform policy, from which improvement is monotone."""
    return solvers.action_values(mdp, jnp.ones_like(mdp.rewards) / len(mdp.rewards[0]))


def constant(rate: float) -> Rate:
    """a_k = rate in [0, 1]; 1 is policy iteration."""
    return lambda mdp, policy, target, q: jnp.full((), rate, q.dtype)


def adaptive(start: jax.Array, largest_reward: float) -> Rate:
    """a_k = (1 - gamma)^2 A / (4 R): <mu, v> grows by at least (1 - gamma) A^2 / (8 R).

    Args:
        start: `[S]` mu.
        largest_reward: R; rewards are in [0, R].

    Source: Kakade and Langford, Corollary of Theorem 4.1, for values that are not
    scaled by 1 - gamma.
    """

    def rate(mdp: MDP, policy: jax.Array, target: jax.Array, q: jax.Array) -> jax.Array:
        gain = advantage(mdp, policy, target, q, start)
        return jnp.clip((1 - mdp.discount) ** 2 * gain / (4 * largest_reward), 0, 1)

    return rate


def safe(start: jax.Array) -> Rate:
    """a_k = min(1, (1 - gamma) A / (gamma D Delta)), of safe policy iteration.

    D = max_s ||G(q)(s) - pi(s)||_1; Delta is the range of <G(q) - pi, q> over states.
    <mu, v> grows by at least A^2 / (2 gamma D Delta) if the rate is below 1.

    Args:
        start: `[S]` mu.

    Source: maximises Pirotta et al.'s bound; theirs has (1 - gamma)^2 because their d
    sums to 1 / (1 - gamma).
    """

    def rate(mdp: MDP, policy: jax.Array, target: jax.Array, q: jax.Array) -> jax.Array:
        gain = jnp.maximum(advantage(mdp, policy, target, q, start), 0)
        distance = jnp.max(jnp.sum(jnp.abs(target - policy), axis=-1))
        span = jnp.ptp(jnp.sum((target - policy) * q, axis=-1))
        gained, bound = (1 - mdp.discount) * gain, mdp.discount * distance * span
        whole = gained >= bound  # also where nothing is left to gain, 0 >= 0
        return jnp.where(whole, 1.0, gained / jnp.where(whole, 1.0, bound))

    return rate


def advantage(
    mdp: MDP, policy: jax.Array, target: jax.Array, q: jax.Array, start: jax.Array
) -> jax.Array:
    """Returns `[]` A = sum_s d(s) <target - pi, q>(s), d the occupancy of pi.

    Args:
        mdp: the process.
        policy: `[S, A]` pi.
        target: `[S, A]` probabilities.
        q: `[S, A]` of pi.
        start: `[S]` mu.
    """
    visits = solvers.occupancy(mdp, policy, start)
    return visits @ jnp.sum((target - policy) * q, axis=-1)
