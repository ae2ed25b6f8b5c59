"""Greedy and evaluation steps with KL and entropy, and the noise that enters them.

Noise is a model: a function from a key to the MDP that one iteration uses. Schemes with
equal keys see equal noise sequences, whatever they do with them.

Policies are `[S, A]` log-probabilities, -inf for actions that are never taken.

Source: Vieillard et al., "Leverage the Average", https://arxiv.org/abs/2003.14089.
"""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp

from agents.tabular.mdp import MDP

Model = Callable[[jax.Array], MDP]


def exact(mdp: MDP) -> Model:
    """Returns the MDP itself: a model without noise."""
    return lambda key: mdp


def sampled(mdp: MDP, samples: int = 1) -> Model:
    """A generative model: empirical transitions of `samples` draws of every pair."""

    def model(key: jax.Array) -> MDP:
        below = jnp.sum(_uniforms(key, mdp, samples) < _edges(mdp)[None], axis=0)
        ends = jnp.zeros((*below.shape[:-1], 1), below.dtype)
        counts = jnp.diff(jnp.concatenate([ends, below, ends + samples], axis=-1))
        return mdp._replace(transitions=counts.astype(mdp.rewards.dtype) / samples)

    return model


def perturbed(mdp: MDP, scale: float) -> Model:
    """Additive errors: eps_k is normal with deviation `scale`, independent."""

    def model(key: jax.Array) -> MDP:
        noise = jax.random.normal(key, mdp.rewards.shape, mdp.rewards.dtype)
        return mdp._replace(rewards=mdp.rewards + scale * noise)

    return model


def next_states(key: jax.Array, mdp: MDP, samples: int) -> jax.Array:
    """Returns `[samples, S, A]` independent next states of every pair.

    The uniform numbers are float32, so that both precisions see the same states.
    """
    return jnp.sum(_uniforms(key, mdp, samples) >= _edges(mdp)[None], axis=-1)


def _uniforms(key: jax.Array, mdp: MDP, samples: int) -> jax.Array:
    """Uniform numbers `[samples, S, A, 1]`, float32."""
    return jax.random.uniform(key, (samples, *mdp.rewards.shape, 1), jnp.float32)


def _edges(mdp: MDP) -> jax.Array:
    """Cumulative probabilities `[S, A, S - 1]`; the last could round below 1."""
    return jnp.cumsum(mdp.transitions, axis=-1)[..., :-1]


def greedy(
    q: jax.Array,
    log_reference: jax.Array | None = None,
    *,
    kl_weight: float = 0.0,
    entropy_weight: float = 0.0,
) -> jax.Array:
    """Returns argmax_pi <pi, q> - lambda KL(pi || mu) + tau H(pi), in logs.

    Proportional to mu^beta exp(q / (lambda + tau)), beta = lambda / (lambda + tau);
    without weights it is deterministic: the first of equal actions.

    Args:
        q: `[S, A]`.
        log_reference: `[S, A]` ln mu; not needed without a KL weight.
        kl_weight: lambda.
        entropy_weight: tau.
    """
    temperature = kl_weight + entropy_weight
    if temperature == 0:
        return jnp.log(
            jax.nn.one_hot(jnp.argmax(q, axis=-1), q.shape[-1], dtype=q.dtype)
        )
    if kl_weight:
        assert log_reference is not None, "a KL weight needs a reference"
        chex.assert_equal_shape([q, log_reference])
        q = q + kl_weight * log_reference
    return jax.nn.log_softmax(q / temperature)


def bonus(
    log_policy: jax.Array,
    log_reference: jax.Array | None = None,
    *,
    kl_weight: float = 0.0,
    entropy_weight: float = 0.0,
) -> jax.Array:
    """Returns `[S]` -lambda KL(pi || mu) + tau H(pi), in the units of values.

    Args:
        log_policy: `[S, A]` ln pi.
        log_reference: `[S, A]` ln mu; not needed without a KL weight.
        kl_weight: lambda.
        entropy_weight: tau.
    """
    policy = jnp.exp(log_policy)
    total = jnp.zeros_like(log_policy[..., 0])
    if kl_weight:
        assert log_reference is not None, "a KL weight needs a reference"
        total -= kl_weight * jnp.sum(policy * (log_policy - log_reference), axis=-1)
    if entropy_weight:
        total += entropy_weight * jnp.sum(jax.scipy.special.entr(policy), axis=-1)
    return total


def evaluation(
    mdp: MDP, log_policy: jax.Array, q: jax.Array, bonus: jax.Array | None = None
) -> jax.Array:
    """Returns `[S, A]` T q = r + gamma P(<pi, q> + bonus).

    Args:
        mdp: of this iteration.
        log_policy: `[S, A]` ln pi.
        q: `[S, A]`.
        bonus: `[S]` the regularisation, if any.
    """
    values = jnp.sum(jnp.exp(log_policy) * q, axis=-1)
    return mdp.backup(values if bonus is None else values + bonus)
