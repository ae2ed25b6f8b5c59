"""Runs the schemes of `vwls_linear` on hard linear MDPs, one MDP after another.

This module imports JAX, so import it inside functions of this package only.
"""

import functools

import jax
import jax.numpy as jnp

from agents.tabular import linear, mdp, operators, schemes, solvers
from agents.tabular.linear import Parameters


@functools.partial(
    jax.jit, static_argnames=("samples", "iterations", "first", "variances")
)
def gaps(
    keys: jax.Array,
    *,
    samples: int,
    iterations: int,
    first: int,
    variances: tuple[tuple[str, int], ...],
) -> dict[str, tuple[jax.Array, jax.Array]]:
    """Returns `[N, K]` gaps and `[N, K]` samples used so far, by scheme.

    Args:
        keys: `[N]` random keys, one for each MDP.
        samples: M, the samples of each pair in an iteration.
        iterations: K.
        first: number of iterations that VWLS runs unweighted.
        variances: name and M_sigma of each VWLS variant.
    """
    one = functools.partial(
        _one, samples=samples, iterations=iterations, first=first, variances=variances
    )
    return jax.lax.map(one, keys)


def _one(
    key: jax.Array,
    samples: int,
    iterations: int,
    first: int,
    variances: tuple[tuple[str, int], ...],
) -> dict[str, tuple[jax.Array, jax.Array]]:
    """Returns `[K]` gaps and `[K]` samples used so far on one MDP, by scheme."""
    mdp_key, run_key, pair_key = jax.random.split(key, 3)
    problem = mdp.hard_linear(mdp_key)
    run = functools.partial(_run, run_key, problem, samples, iterations)
    states, gap, used = run(jnp.ones_like(problem.mdp.rewards), 2)
    best = jnp.max(solvers.optimal_action_values(problem.mdp), axis=-1)
    estimates = [
        _variance(pair_key, problem, states, first, pairs) for _, pairs in variances
    ]
    ideal = linear.exact_variance(problem.mdp, best)
    known = jnp.stack([ideal, *(estimate for estimate, _ in estimates)])
    f = linear.weighting_of(known, problem.mdp.discount)
    found = {"f = 1": (gap, used)}
    # All f of a power share the same noise: drawing it is most of the work.
    for power, suffix in ((2, ""), (1, ", notebook")):
        _, gaps, counts = jax.vmap(lambda f, power=power: run(f, power))(f)
        found["f = f*" + suffix] = (gaps[0], counts[0])
        for rank, (name, _) in enumerate(variances, start=1):
            spent = used[first - 1] + estimates[rank - 1][1]
            rest = slice(iterations - first)
            found[name + suffix] = (
                jnp.concatenate([gap[:first], gaps[rank, rest]]),
                jnp.concatenate([used[:first], spent + counts[rank, rest]]),
            )
    return found


def _run(
    key: jax.Array,
    problem: mdp.Linear,
    samples: int,
    iterations: int,
    f: jax.Array,
    gram_power: int,
) -> tuple[Parameters, jax.Array, jax.Array]:
    """Runs WLS-MDVI with weighting f: states, `[K]` gaps and `[K]` samples used."""
    design = linear.optimal_design(problem.features / f[..., None])
    scheme = linear.weighted_mdvi(
        problem.features, design, f, problem.mdp.discount, gram_power=gram_power
    )
    model = operators.sampled(problem.mdp, samples)
    states = schemes.run(scheme, model, key, iterations, jnp.zeros_like(f))
    best = jnp.max(solvers.optimal_action_values(problem.mdp), axis=-1)

    def gap(log_policy: jax.Array) -> jax.Array:
        values = solvers.state_values(problem.mdp, jnp.exp(log_policy))
        return jnp.max(jnp.abs(best - values)) / jnp.max(best)

    used = samples * jnp.sum(design > 0) * jnp.arange(1, iterations + 1)
    return states, jax.vmap(gap)(states.log_policy), used


def _variance(
    key: jax.Array, problem: mdp.Linear, states: Parameters, first: int, pairs: int
) -> tuple[jax.Array, jax.Array]:
    """Estimates `[S, A]` variance after `first` iterations; also its sample count."""
    design = linear.optimal_design(problem.features)
    state = jax.tree.map(lambda leaf: leaf[first - 1], states)
    values = linear.state_values(problem.features, state, problem.mdp.discount)
    estimate = linear.estimated_variance(
        key, problem.mdp, problem.features, design, values, samples=pairs
    )
    return estimate, 2 * pairs * jnp.sum(design > 0)
