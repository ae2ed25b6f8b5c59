"""Divergences between the next-token distributions of a teacher and a student.

P is the teacher's softmax, Q the student's, M = beta P + (1 - beta) Q.

| name | value | limit |
| --- | --- | --- |
| `forward_kl` | KL(P, Q) = sum P log (P / Q): mass-covering | |
| `reverse_kl` | KL(Q, P) = sum Q log (Q / P): mode-seeking | |
| `jsd` | beta KL(P, M) + (1 - beta) KL(Q, M) | 0 as beta -> 0 or 1 |
| `total_variation` | half of sum abs(P - Q) | |

`jsd` / beta tends to `forward_kl` as beta -> 0, and `jsd` / (1 - beta) to `reverse_kl`
as beta -> 1: so beta scales the gradient as well as changing its direction, and
learning rates are to be compared at one beta. Other libraries return the two KLs at
beta = 0 and 1, without that scale. Here a KL is chosen by its name.

Gradients flow to both arguments: the caller stops that of the teacher.

Source: Agarwal et al., "On-Policy Distillation of Language Models: Learning from
Self-Generated Mistakes", ICLR 2024, https://arxiv.org/abs/2306.13649, Eq. (1).

Letters in shapes: B sequences, T columns of completions, V tokens, D widths.
"""

import functools
import math
from collections.abc import Callable
from typing import Literal

import chex
import jax
import jax.numpy as jnp

from agents.parts import checks
from agents.parts.language import accumulation

Name = Literal["forward_kl", "reverse_kl", "jsd", "total_variation"]
# (teacher logits [..., V], student logits [..., V]) -> [...]
Divergence = Callable[[jax.Array, jax.Array], jax.Array]


def forward_kl(teacher: jax.Array, student: jax.Array) -> jax.Array:
    """KL(P, Q), teacher first: logits `[..., V]`, `[..., V] -> [...]` in nats."""
    log_p, log_q = _log_softmaxes(teacher, student)
    return _kl(log_p, log_q)


def reverse_kl(teacher: jax.Array, student: jax.Array) -> jax.Array:
    """KL(Q, P), student first: logits `[..., V]`, `[..., V] -> [...]` in nats."""
    log_p, log_q = _log_softmaxes(teacher, student)
    return _kl(log_q, log_p)


def jsd(teacher: jax.Array, student: jax.Array, *, beta: float) -> jax.Array:
    """Generalised Jensen-Shannon divergence with 0 < beta < 1, the teacher's weight.

    Args:
        teacher: `[..., V]` logits.
        student: `[..., V]` logits.
        beta: weight of the teacher in M, and of KL(P, M).

    Returns:
        `[...]` in nats.

    Raises:
        InvalidSetting: beta is not strictly between 0 and 1.
    """
    check_beta(beta)
    log_p, log_q = _log_softmaxes(teacher, student)
    log_m = jnp.logaddexp(log_p + math.log(beta), log_q + math.log1p(-beta))
    return beta * _kl(log_p, log_m) + (1 - beta) * _kl(log_q, log_m)


def total_variation(teacher: jax.Array, student: jax.Array) -> jax.Array:
    """Half of sum abs(P - Q): logits `[..., V]`, `[..., V] -> [...]`, at most 1."""
    log_p, log_q = _log_softmaxes(teacher, student)
    return jnp.sum(jnp.abs(jnp.exp(log_p) - jnp.exp(log_q)), axis=-1) / 2


def named(name: Name, beta: float = 0.5) -> Divergence:
    """The divergence of a name; `beta` is that of `jsd`.

    Raises:
        InvalidSetting: beta is not strictly between 0 and 1.
    """
    known: dict[str, Divergence] = {
        "forward_kl": forward_kl,
        "reverse_kl": reverse_kl,
        "jsd": functools.partial(jsd, beta=beta),
        "total_variation": total_variation,
    }
    check_beta(beta)
    return known[name]


def check_beta(beta: float) -> None:
    """Raises InvalidSetting unless `0 < beta < 1`."""
    if not 0 < beta < 1:
        raise checks.InvalidSetting(
            "beta",
            beta,
            "above 0 and below 1; at the ends choose forward_kl or reverse_kl",
        )


def chunked(
    divergence: Divergence,
    teacher_logits: Callable[[jax.Array], jax.Array],
    student_logits: Callable[[jax.Array], jax.Array],
    teacher_states: jax.Array,
    student_states: jax.Array,
    *,
    chunk: int,
) -> jax.Array:
    """A divergence at each position, without all logits in memory at once.

    It holds two logits tensors `[chunk, V]` at a time, also for the gradient, which
    computes them again. Values and gradients are those of the plain call.

    Args:
        divergence: of two logits.
        teacher_logits: `[..., D] -> [..., V]`, such as a product with the embedding.
        student_logits: the same with the student's parameters and width.
        teacher_states: `[B, T, D]` of the teacher.
        student_states: `[B, T, D]` of the student, with another width.
        chunk: positions at a time.

    Returns:
        `[B, T]`.
    """
    chex.assert_rank([teacher_states, student_states], 3)
    return accumulation.in_chunks(
        lambda states: divergence(teacher_logits(states[0]), student_logits(states[1])),
        (teacher_states, student_states),
        chunk,
    )


def _log_softmaxes(
    teacher: jax.Array, student: jax.Array
) -> tuple[jax.Array, jax.Array]:
    chex.assert_equal_shape([teacher, student])
    wide = (each.astype(jnp.float32) for each in (teacher, student))
    log_p, log_q = (jax.nn.log_softmax(each) for each in wide)
    return log_p, log_q


def _kl(log_p: jax.Array, log_q: jax.Array) -> jax.Array:
    """KL(p, q) from log-probabilities; tokens that p excludes contribute 0."""
    p = jnp.exp(log_p)
    # Where p underflows, log p may be -inf: 0 times that must be 0, in gradients too.
    difference = jnp.where(p > 0, log_p - log_q, 0)
    return jnp.sum(p * difference, axis=-1)
