"""Value and policy iteration, regularised or averaged: one function for each scheme.

A scheme turns pi_k, q_k and the MDP of this iteration, which may be noisy, into
pi_{k+1} and q_{k+1}. `run` iterates it.

| symbol | here |
| --- | --- |
| lambda, tau | `kl_weight`, `entropy_weight` |
| m | `evaluations` |
| alpha | `munchausen` |
| eta | `step_size` |
| h_k | `average` |

MD and DA: Vieillard et al., "Leverage the Average", https://arxiv.org/abs/2003.14089.
M-VI: "Munchausen Reinforcement Learning", https://arxiv.org/abs/2007.14430, Eq. (3).
MoVI: "Momentum in Reinforcement Learning", https://arxiv.org/abs/1910.09322.
Speedy Q-learning: Azar et al., 2011, with synchronous updates. Politex: Abbasi-Yadkori
et al., 2019.

Deviations:
- With m > 1 the m evaluations of an iteration share its noise.
- Of equal actions a deterministic policy takes the first.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from agents.tabular import operators, solvers
from agents.tabular.mdp import MDP
from agents.tabular.operators import Model


class Iterate(NamedTuple):
    """The state of a scheme after k iterations.

    Attributes:
        log_policy: `[S, A]` ln pi_k; uniform at first.
        q: `[S, A]` q_k, an evaluation of pi_k.
        average: `[S, A]` average or sum of q_0 .. q_k, if the scheme keeps one.
        iteration: `[]` k.
    """

    log_policy: jax.Array
    q: jax.Array
    average: jax.Array
    iteration: jax.Array


class Scheme(NamedTuple):
    """An algorithm that `run` can iterate.

    Attributes:
        init: from `[S, A]` q_0 to the first state, which has `log_policy` and `q`.
        step: from a state and the MDP of this iteration to the next state.
    """

    init: Callable[[jax.Array], Any]
    step: Callable[[Any, MDP], Any]


def run(
    scheme: Scheme, model: Model, key: jax.Array, iterations: int, q: jax.Array
) -> Any:
    """The scheme's states after 1 .. K iterations, stacked in front.

    Args:
        scheme: the scheme to iterate.
        model: the noise; equal keys give equal noise to all schemes.
        key: of the whole run.
        iterations: K.
        q: `[S, A]` q_0.
    """
    chex.assert_rank(q, 2)

    def iterate(state: Any, key: jax.Array) -> tuple[Any, Any]:
        state = scheme.step(state, model(key))
        return state, state

    keys = jax.random.split(key, iterations)
    return jax.lax.scan(iterate, scheme.init(q), keys)[1]


def start(q: jax.Array, average: jax.Array | None = None) -> Iterate:
    """The state before the first iteration: pi_0 is uniform."""
    uniform = jnp.full_like(q, -jnp.log(q.shape[-1]))
    average = jnp.zeros_like(q) if average is None else average
    return Iterate(uniform, q, average, jnp.zeros((), jnp.int32))


def value_iteration() -> Scheme:
    """AVI: pi_{k+1} = G(q_k); q_{k+1} = T_{pi_{k+1}} q_k."""
    return mirror_descent(0.0, 0.0)


def policy_iteration() -> Scheme:
    """PI: pi_{k+1} = G(q_k); q_{k+1} = q_{pi_{k+1}}, exact in the iteration's model."""
    return mirror_descent(0.0, 0.0, evaluations=None)


def mirror_descent(
    kl_weight: float,
    entropy_weight: float,
    *,
    evaluations: int | None = 1,
    regularised: bool = True,
) -> Scheme:
    """MD-MPI: pi_{k+1} = G_{pi_k}(q_k); q_{k+1} = (T_{pi_{k+1} | pi_k})^m q_k.

    Args:
        kl_weight: lambda, of KL(pi || pi_k).
        entropy_weight: tau.
        evaluations: m; None evaluates to the fixed point, m = infinity.
        regularised: whether T has the regularisation too ("w/").
    """

    def step(state: Iterate, mdp: MDP) -> Iterate:
        log_policy = operators.greedy(
            state.q,
            state.log_policy,
            kl_weight=kl_weight,
            entropy_weight=entropy_weight,
        )
        bonus = operators.bonus(
            log_policy,
            state.log_policy,
            kl_weight=kl_weight * regularised,
            entropy_weight=entropy_weight * regularised,
        )
        q = solvers.evaluated(mdp, log_policy, state.q, evaluations, bonus)
        return Iterate(log_policy, q, state.average, state.iteration + 1)

    return Scheme(start, step)


def dual_averaging(
    kl_weight: float,
    entropy_weight: float,
    *,
    evaluations: int | None = 1,
    regularised: bool = True,
) -> Scheme:
    """DA-MPI: as MD-MPI, with pi_{k+1} a softmax of an average of q_0 .. q_k.

    tau = 0: h_k is their mean and pi_{k+1} = softmax((k + 1) h_k / lambda). Else
    h_k = beta h_{k-1} + (1 - beta) q_k with beta = lambda / (lambda + tau), h_{-1} = 0,
    and pi_{k+1} = softmax(h_k / tau). Arguments as in `mirror_descent`.
    """

    def step(state: Iterate, mdp: MDP) -> Iterate:
        count = state.iteration + 1
        if entropy_weight:
            forget = kl_weight / (kl_weight + entropy_weight)
            average = forget * state.average + (1 - forget) * state.q
            log_policy = operators.greedy(average, entropy_weight=entropy_weight)
        else:
            average = state.average + (state.q - state.average) / count
            scaled = count * average if kl_weight else average
            log_policy = operators.greedy(scaled, entropy_weight=kl_weight)
        bonus = operators.bonus(
            log_policy,
            state.log_policy,
            kl_weight=kl_weight * regularised,
            entropy_weight=entropy_weight * regularised,
        )
        q = solvers.evaluated(mdp, log_policy, state.q, evaluations, bonus)
        return Iterate(log_policy, q, average, count)

    return Scheme(start, step)


def politex(step_size: float) -> Scheme:
    """Politex: pi_{k+1} = softmax(eta sum_{j <= k} q_{pi_j}), exactly evaluated."""

    def step(state: Iterate, mdp: MDP) -> Iterate:
        total = state.average + state.q
        log_policy = jax.nn.log_softmax(step_size * total)
        q = solvers.action_values(mdp, jnp.exp(log_policy))
        return Iterate(log_policy, q, total, state.iteration + 1)

    return Scheme(start, step)


def momentum() -> Scheme:
    """MoVI: pi_{k+1} = G(h_k); h_{k+1} = ((k + 1) h_k + q_{k+1}) / (k + 2).

    h_0 = q_0; q_{k+1} = T_{pi_{k+1}} q_k.
    """

    def step(state: Iterate, mdp: MDP) -> Iterate:
        k, h = state.iteration, state.average
        log_policy = operators.greedy(h)
        q = operators.evaluation(mdp, log_policy, state.q)
        return Iterate(log_policy, q, ((k + 1) * h + q) / (k + 2), k + 1)

    return Scheme(lambda q: start(q, q), step)


class Speedy(NamedTuple):
    """The state of speedy Q-learning after k iterations.

    Attributes:
        log_policy: `[S, A]` greedy in the values that were backed up last.
        q: `[S, A]` Q_k.
        previous: `[S, A]` Q_{k-1}.
        iteration: `[]` k.
    """

    log_policy: jax.Array
    q: jax.Array
    previous: jax.Array
    iteration: jax.Array


def speedy_q_learning() -> Scheme:
    """SQL: Q_{k+1} = Q_k + a (T Q_{k-1} - Q_k) + (1 - a) (T Q_k - T Q_{k-1}).

    a = 1 / (k + 1), Q_{-1} = Q_0; both backups share the iteration's noise.
    """

    def step(state: Speedy, mdp: MDP) -> Speedy:
        # Cast to the precision of the values: 1 / int32 is in single precision.
        rate = 1 / (state.iteration + 1).astype(state.q.dtype)
        now = mdp.backup(jnp.max(state.q, axis=-1))
        before = mdp.backup(jnp.max(state.previous, axis=-1))
        q = state.q + rate * (before - state.q) + (1 - rate) * (now - before)
        return Speedy(operators.greedy(state.q), q, state.q, state.iteration + 1)

    def init(q: jax.Array) -> Speedy:
        return Speedy(start(q).log_policy, q, q, jnp.zeros((), jnp.int32))

    return Scheme(init, step)


def munchausen(scaling: float, temperature: float) -> Scheme:
    """M-VI: q_{k+1} = r + alpha tau ln pi + gamma P <pi, q_k - tau ln pi>.

    pi = pi_{k+1} = softmax(q_k / tau).

    Args:
        scaling: alpha.
        temperature: tau > 0.

    Source: Eq. (3).
    """

    def step(state: Iterate, mdp: MDP) -> Iterate:
        log_policy = jax.nn.log_softmax(state.q / temperature)
        bonus = operators.bonus(log_policy, entropy_weight=temperature)
        q = operators.evaluation(mdp, log_policy, state.q, bonus)
        q += scaling * temperature * log_policy
        return Iterate(log_policy, q, state.average, state.iteration + 1)

    return Scheme(start, step)
