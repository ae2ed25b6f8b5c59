"""Exact values, as a reference for schemes, by linear solve and Newton steps."""

import chex
import jax
import jax.numpy as jnp

from agents.tabular import operators
from agents.tabular.mdp import MDP

_MOST_STEPS = 1_000  # policy iteration needs a dozen; a bound in case of rounding


def state_values(
    mdp: MDP, policy: jax.Array, bonus: jax.Array | None = None
) -> jax.Array:
    """Returns `[S]` v_pi = (I - gamma P_pi)^-1 (r_pi + bonus).

    Args:
        mdp: the process.
        policy: `[S, A]` probabilities.
        bonus: `[S]` paid in each state, such as tau H(pi); None for none.
    """
    chex.assert_equal_shape([mdp.rewards, policy])
    gains = jnp.sum(policy * mdp.rewards, axis=-1)
    if bonus is not None:
        chex.assert_equal_shape([gains, bonus])
        gains = gains + bonus
    kept = jnp.einsum("sa,sat->st", policy, mdp.transitions)
    return jnp.linalg.solve(jnp.eye(len(gains)) - mdp.discount * kept, gains)


def action_values(
    mdp: MDP, policy: jax.Array, bonus: jax.Array | None = None
) -> jax.Array:
    """Returns `[S, A]` q_pi = r + gamma P v_pi; the bonus as in `state_values`."""
    return mdp.backup(state_values(mdp, policy, bonus))


def soft_action_values(
    mdp: MDP, log_policy: jax.Array, temperature: float
) -> jax.Array:
    """Returns `[S, A]` q_pi of the problem with an entropy bonus tau H(pi)."""
    bonus = operators.bonus(log_policy, entropy_weight=temperature)
    return action_values(mdp, jnp.exp(log_policy), bonus)


def evaluated(
    mdp: MDP,
    log_policy: jax.Array,
    q: jax.Array,
    evaluations: int | None,
    bonus: jax.Array | None = None,
) -> jax.Array:
    """Returns `[S, A]` (T_pi)^m q, or its limit q_pi.

    Args:
        mdp: of this iteration.
        log_policy: `[S, A]` ln pi.
        q: `[S, A]`.
        evaluations: m; None for the limit.
        bonus: `[S]` as in `state_values`.
    """
    if evaluations is None:
        return action_values(mdp, jnp.exp(log_policy), bonus)
    return jax.lax.fori_loop(
        0,
        evaluations,
        lambda _, q: operators.evaluation(mdp, log_policy, q, bonus),
        q,
    )


def occupancy(mdp: MDP, policy: jax.Array, start: jax.Array) -> jax.Array:
    """Returns `[S]` d = (1 - gamma) mu (I - gamma P_pi)^-1, which sums to 1.

    Args:
        mdp: the process.
        policy: `[S, A]` probabilities.
        start: `[S]` mu, the distribution of the first state.
    """
    kept = jnp.einsum("sa,sat->st", policy, mdp.transitions)
    flow = jnp.eye(len(start)) - mdp.discount * kept
    return (1 - mdp.discount) * jnp.linalg.solve(flow.T, start)


def optimal_action_values(mdp: MDP, temperature: float = 0.0) -> jax.Array:
    """Returns `[S, A]` q*_tau by (soft) policy iteration, which is Newton's method.

    Args:
        mdp: the process.
        temperature: tau; 0 is the plain optimum.
    """
    tolerance = 10 * jnp.finfo(mdp.rewards.dtype).eps

    def improved(q: jax.Array) -> jax.Array:
        log_policy = operators.greedy(q, entropy_weight=temperature)
        return soft_action_values(mdp, log_policy, temperature)

    def unfinished(carry: tuple[jax.Array, jax.Array, jax.Array]) -> jax.Array:
        q, before, steps = carry
        change = jnp.max(jnp.abs(q - before))
        return (change > tolerance * jnp.max(jnp.abs(q))) & (steps < _MOST_STEPS)

    def newton(
        carry: tuple[jax.Array, jax.Array, jax.Array],
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        q, _, steps = carry
        return improved(q), q, steps + 1

    q = jnp.zeros_like(mdp.rewards)
    first = (improved(q), q + jnp.inf, jnp.zeros((), jnp.int32))
    return jax.lax.while_loop(unfinished, newton, first)[0]
