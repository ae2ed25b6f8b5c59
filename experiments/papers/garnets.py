"""Runs tabular schemes on many Garnets at once; shared by the computed figures.

This module imports JAX, so import it inside functions of this package only.
"""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from agents.tabular import schemes, solvers
from agents.tabular.mdp import MDP, garnet
from agents.tabular.operators import Model
from agents.tabular.schemes import Scheme
from experiments.catalogue.computation import Row

STATES, ACTIONS, BRANCHING = 30, 4, 4  # "Leverage the Average", Appendix D


def drawn(seed: int, number: int, discount: float) -> tuple[MDP, jax.Array]:
    """Draws Garnets, as `batch`, and a key of the noise for each.

    Args:
        seed: of the Garnets and of the keys.
        number: N, of Garnets.
        discount: gamma.
    """
    mdp_key, noise_key = jax.random.split(jax.random.key(seed))
    mdps = batch(jax.random.split(mdp_key, number), discount)
    return mdps, jax.random.split(noise_key, number)


@functools.partial(jax.jit, static_argnames="discount")
def batch(keys: jax.Array, discount: float) -> MDP:
    """Makes N Garnets, one for each of `[N]` keys; leaves have a leading axis N.

    Args:
        keys: `[N]` random keys.
        discount: gamma.
    """
    return jax.vmap(
        lambda key: garnet(key, STATES, ACTIONS, BRANCHING, discount=discount)
    )(keys)


def policies(
    scheme: Scheme,
    model: Callable[[MDP], Model],
    mdps: MDP,
    keys: jax.Array,
    iterations: Sequence[int],
    *,
    first: Callable[[MDP], jax.Array] | None = None,
) -> jax.Array:
    """Returns `[N, len(iterations), S, A]` log-policies of a scheme on N MDPs.

    Args:
        scheme: the scheme to iterate.
        model: makes the exact or sampled model of an MDP that the scheme queries.
        mdps: leaves with a leading axis N.
        keys: `[N]` random keys of the noise.
        iterations: whose policies to return, counted from 1; increasing.
        first: returns `[S, A]` q_0 of an MDP; q_0 is 0 if None.
    """
    chosen = jnp.array(iterations) - 1

    def one(mdp: MDP, key: jax.Array) -> jax.Array:
        q = jnp.zeros_like(mdp.rewards) if first is None else first(mdp)
        states = schemes.run(scheme, model(mdp), key, iterations[-1], q)
        return states.log_policy[chosen]

    return jax.jit(jax.vmap(one))(mdps, keys)


def curve(
    scheme: Scheme,
    model: Callable[[MDP], Model],
    mdps: MDP,
    keys: jax.Array,
    iterations: Sequence[int],
    temperature: float = 0.0,
) -> list[Row]:
    """A scheme's error at each iteration: arguments of `policies`, `relative_errors`.

    Returns:
        Rows of iteration, error (mean over Garnets), standard_error and garnets.
    """
    found = policies(scheme, model, mdps, keys, iterations)
    summaries = summary(relative_errors(mdps, found, temperature))
    return [
        {
            "iteration": iteration,
            "error": mean,
            "standard_error": error,
            "garnets": len(keys),
        }
        for iteration, mean, error in zip(iterations, *summaries, strict=True)
    ]


@functools.partial(jax.jit, static_argnames="temperature")
def relative_errors(
    mdps: MDP, log_policies: jax.Array, temperature: float = 0.0
) -> jax.Array:
    """Returns `[N, K]` ||q* - q_pi||_1 / ||q*||_1.

    Args:
        mdps: leaves with a leading axis N.
        log_policies: `[N, K, S, A]`.
        temperature: tau, the weight of the entropy in q* and q_pi.
    """

    def one(mdp: MDP, several: jax.Array) -> jax.Array:
        best = solvers.optimal_action_values(mdp, temperature)

        def error(log_policy: jax.Array) -> jax.Array:
            q = solvers.soft_action_values(mdp, log_policy, temperature)
            return jnp.sum(jnp.abs(best - q)) / jnp.sum(jnp.abs(best))

        return jax.vmap(error)(several)

    return jax.vmap(one)(mdps, log_policies)


@jax.jit
def worst_gaps(mdps: MDP, log_policies: jax.Array) -> jax.Array:
    """Returns `[N, K]` max_s (v* - v_pi)(s) / max_s v*(s).

    Args:
        mdps: leaves with a leading axis N.
        log_policies: `[N, K, S, A]`.
    """

    def one(mdp: MDP, several: jax.Array) -> jax.Array:
        best = jnp.max(solvers.optimal_action_values(mdp), axis=-1)

        def gap(log_policy: jax.Array) -> jax.Array:
            values = solvers.state_values(mdp, jnp.exp(log_policy))
            return jnp.max(best - values) / jnp.max(best)

        return jax.vmap(gap)(several)

    return jax.vmap(one)(mdps, log_policies)


def summary(errors: jax.Array | np.ndarray) -> tuple[list[float], list[float]]:
    """Means over the first axis of `[N, K]`, and their standard errors."""
    values = np.asarray(errors)
    deviation = values.std(axis=0, ddof=1) if len(values) > 1 else 0 * values[0]
    means = values.mean(axis=0)
    return means.tolist(), (deviation / len(values) ** 0.5).tolist()
