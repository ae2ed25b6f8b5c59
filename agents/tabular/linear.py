"""VWLS-MDVI: MDVI in a linear MDP, by least squares weighted by the variance.

Kitamura et al., "Regularization and Variance-Weighted Regression Achieves Minimax
Optimality in Linear MDPs", ICML 2023, https://arxiv.org/abs/2305.13185, and its
notebook.

| symbol | here |
| --- | --- |
| phi | `features` |
| f | `weighting`, about a standard deviation; samples have weight 1 / f^2 |
| rho | `design`, a distribution over pairs |
| G_f | sum of rho phi phi^T / f^2 |
| H | 1 / (1 - gamma) |

Deviations:
- G_f has 1 / f^2, as weighted least squares must. The notebook has 1 / f there and
  1 / f^2 on the other side, which divides every target by about f and so shortens the
  horizon; `gram_power=1` does the same, for comparison.
- Samples are drawn for all pairs, and used in the core set only.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from agents.tabular import operators
from agents.tabular.mdp import MDP
from agents.tabular.schemes import Scheme

_MOST_STEPS = 100_000  # of Frank-Wolfe; some hundreds reach a tolerance of 0.01


class Parameters(NamedTuple):
    """The state of WLS-MDVI after k iterations.

    Attributes:
        log_policy: `[S, A]` greedy in phi theta_k.
        q: `[S, A]` phi theta_k, a sum of values; the policy is greedy in it.
        theta: `[D]` theta_k.
        previous: `[D]` theta_{k-1}.
    """

    log_policy: jax.Array
    q: jax.Array
    theta: jax.Array
    previous: jax.Array


def optimal_design(features: jax.Array, tolerance: float = 0.01) -> jax.Array:
    """The D-optimal (hence G-optimal) design, by Frank-Wolfe with exact steps.

    Maximises ln det G, G = sum of rho phi phi^T; by Kiefer and Wolfowitz the largest
    leverage phi^T G^-1 phi is then D.

    Args:
        features: `[S, A, D]`, divided by the weighting.
        tolerance: ends when no leverage is above D (1 + tolerance).

    Returns:
        `[S, A]` rho, 0 outside the core set: pairs whose leverage is too small for any
        optimal design (Harman and Pronzato) are left out, so it may sum to less than 1.
        NaN if the features do not span R^D: then G is singular for every design.
    """
    chex.assert_rank(features, 3)
    dimension = features.shape[-1]
    phi = features.reshape(-1, dimension)

    def unfinished(carry: tuple[jax.Array, jax.Array, jax.Array]) -> jax.Array:
        _, leverage, steps = carry
        excess = jnp.max(leverage) / dimension - 1
        return (excess > tolerance) & (steps < _MOST_STEPS)

    def frank_wolfe(
        carry: tuple[jax.Array, jax.Array, jax.Array],
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        design, leverage, steps = carry
        vertex = jnp.argmax(leverage)
        most = leverage[vertex]
        step = (most / dimension - 1) / (most - 1)
        design = ((1 - step) * design).at[vertex].add(step)
        return design, leverages(phi, design), steps + 1

    design = jnp.full(len(phi), 1 / len(phi), phi.dtype)
    first = (design, leverages(phi, design), jnp.zeros((), jnp.int32))
    design, leverage, _ = jax.lax.while_loop(unfinished, frank_wolfe, first)
    excess = jnp.maximum(jnp.max(leverage) / dimension - 1, 0)
    root = jnp.sqrt(excess * (dimension - 1) + (excess * dimension / 2) ** 2)
    core = leverage >= dimension * (1 + excess * dimension / 2 - root)
    found = jnp.where(core, design, 0).reshape(features.shape[:-1])
    # sum of rho phi^T G^-1 phi is the trace of G^-1 G: D, if there is a G^-1.
    spans = jnp.abs(design @ leverage / dimension - 1) < 0.1
    return jnp.where(spans, found, jnp.nan)


def leverages(phi: jax.Array, design: jax.Array) -> jax.Array:
    """Returns `[N]` phi^T G^-1 phi of `[N, D]` features under an `[N]` design."""
    chex.assert_equal_shape_prefix([phi, design], 1)
    gram = jnp.einsum("n,nd,ne->de", design, phi, phi)
    return jnp.sum(phi * jnp.linalg.solve(gram, phi.T).T, axis=-1)


def regression(
    features: jax.Array,
    design: jax.Array,
    weighting: jax.Array,
    targets: jax.Array,
    *,
    gram_power: int = 2,
) -> jax.Array:
    """Returns `[D]` G_f^-1 sum of rho phi y / f^2, all pairs at once.

    Args:
        features: `[S, A, D]` phi.
        design: `[S, A]` rho.
        weighting: `[S, A]` f.
        targets: `[S, A]` y.
        gram_power: of f in G_f: 2 is least squares, 1 is the notebook.
    """
    chex.assert_equal_shape([design, weighting, targets])
    gram_weights = design / weighting**gram_power
    gram = jnp.einsum("sa,sad,sae->de", gram_weights, features, features)
    moments = jnp.einsum("sa,sad->d", design / weighting**2 * targets, features)
    return jnp.linalg.solve(gram, moments)


def weighted_mdvi(
    features: jax.Array,
    design: jax.Array,
    weighting: jax.Array,
    forgetting: jax.Array | float,
    *,
    gram_power: int = 2,
) -> Scheme:
    """WLS-MDVI: theta_{k+1} = regression of r + gamma P v_k, plus alpha theta_k.

    v_k = max phi theta_k - alpha max phi theta_{k-1}.

    Args:
        features: `[S, A, D]` phi.
        design: `[S, A]` rho, optimal for phi / f.
        weighting: `[S, A]` f.
        forgetting: alpha; the paper takes gamma.
        gram_power: see `regression`.
    """

    def step(state: Parameters, mdp: MDP) -> Parameters:
        targets = mdp.backup(state_values(features, state, forgetting))
        theta = regression(features, design, weighting, targets, gram_power=gram_power)
        theta += forgetting * state.theta
        q = features @ theta
        return Parameters(operators.greedy(q), q, theta, state.theta)

    def init(q: jax.Array) -> Parameters:
        uniform = jnp.full_like(q, -jnp.log(q.shape[-1]))
        theta = jnp.zeros(features.shape[-1], q.dtype)
        return Parameters(uniform, jnp.zeros_like(q), theta, theta)

    return Scheme(init, step)


def state_values(
    features: jax.Array, state: Parameters, forgetting: jax.Array | float
) -> jax.Array:
    """Returns `[S]` v_k = max phi theta_k - alpha max phi theta_{k-1}."""
    now = jnp.max(features @ state.theta, axis=-1)
    return now - forgetting * jnp.max(features @ state.previous, axis=-1)


def estimated_variance(
    key: jax.Array,
    mdp: MDP,
    features: jax.Array,
    design: jax.Array,
    values: jax.Array,
    *,
    samples: int,
) -> jax.Array:
    """Returns `[S, A]` Var[v(s')], regressed on the features.

    The targets are half the squared differences of two independent next states' values.

    Args:
        key: of the samples.
        mdp: the sampled process.
        features: `[S, A, D]` phi.
        design: `[S, A]` rho, optimal for phi.
        values: `[S]` v.
        samples: M_sigma, pairs of next states of each state and action.
    """
    first_key, second_key = jax.random.split(key)
    first = values[operators.next_states(first_key, mdp, samples)]
    second = values[operators.next_states(second_key, mdp, samples)]
    targets = jnp.mean((first - second) ** 2, axis=0) / 2
    return features @ regression(features, design, jnp.ones_like(design), targets)


def weighting_of(variance: jax.Array, discount: jax.Array) -> jax.Array:
    """Returns `[S, A]` f = min(sqrt(max(Var, 0)) + sqrt(H), H)."""
    horizon = 1 / (1 - discount)
    deviation = jnp.sqrt(jnp.maximum(variance, 0))
    return jnp.minimum(deviation + jnp.sqrt(horizon), horizon)


def exact_variance(mdp: MDP, values: jax.Array) -> jax.Array:
    """Returns `[S, A]` Var[v(s')] = P v^2 - (P v)^2."""
    spread = values[None, None] - (mdp.transitions @ values)[..., None]
    return jnp.sum(mdp.transitions * spread**2, axis=-1)
