"""MDVI: KL- and entropy-regularised value iteration with a generative model.

Kozuno et al., "KL-Entropy-Regularized RL with a Generative Model is Minimax Optimal",
2022, https://arxiv.org/abs/2205.14211.

| symbol | here |
| --- | --- |
| alpha | `forgetting`, KL weight / (KL weight + entropy weight) |
| 1 / beta | `temperature`, KL weight + entropy weight |
| s_k | `total`, sum_j alpha^(k-j) q_j |
| w_k | `_softmax(s_k)` |

The model draws the M samples of each pair: `operators.sampled(mdp, M)`.

Deviations:
- With a temperature w_{-1} is the soft maximum of zeros instead of 0, which makes the
  scheme MD-VI from a uniform policy; without a temperature both are 0.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from agents.tabular import operators
from agents.tabular.mdp import MDP
from agents.tabular.schemes import Scheme


class Totals(NamedTuple):
    """The state of MDVI after k iterations.

    Attributes:
        log_policy: `[S, A]` greedy in s_k, or its softmax.
        q: `[S, A]` q_k.
        total: `[S, A]` s_k.
        previous: `[S, A]` s_{k-1}.
    """

    log_policy: jax.Array
    q: jax.Array
    total: jax.Array
    previous: jax.Array


def mdvi(forgetting: float, temperature: float = 0.0) -> Scheme:
    """MDVI: q_{k+1} = r + gamma P (w_k - alpha w_{k-1}); s_{k+1} = q_{k+1} + alpha s_k.

    Args:
        forgetting: alpha; gamma and 1 - (1 - gamma)^2 are the paper's two choices.
        temperature: of the maximum; 0 is the limit that the paper analyses.
    """

    def step(state: Totals, mdp: MDP) -> Totals:
        v = _softmax(state.total, temperature)
        v -= forgetting * _softmax(state.previous, temperature)
        q = mdp.backup(v)
        total = q + forgetting * state.total
        log_policy = operators.greedy(total, entropy_weight=temperature)
        return Totals(log_policy, q, total, state.total)

    def init(q: jax.Array) -> Totals:
        uniform = jnp.full_like(q, -jnp.log(q.shape[-1]))
        return Totals(uniform, q, q, jnp.zeros_like(q))

    return Scheme(init, step)


def _softmax(s: jax.Array, temperature: float) -> jax.Array:
    """`[S]` w: the maximum over actions, or its log-sum-exp."""
    if temperature == 0:
        return jnp.max(s, axis=-1)
    return temperature * jax.nn.logsumexp(s / temperature, axis=-1)
