"""The return's distribution, as quantiles of an implicit quantile network."""

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from agents.parts import equations
from agents.parts.contract import NetworkParams
from agents.parts.networks import Network


class Quantiles(NamedTuple):
    """Quantiles at fractions drawn uniformly.

    Attributes:
        z: `[B, N, A]` quantiles of each action's return.
        fractions: `[B, N]` in (0, 1), the fractions of these quantiles.
    """

    z: jax.Array
    fractions: jax.Array


def sample(
    network: Network,
    params: NetworkParams,
    key: jax.Array,
    observation: Any,
    number: int,
) -> Quantiles:
    """Draws fractions uniformly and returns their quantiles.

    Args:
        network: built by `networks.quantile_values`.
        params: of that network.
        key: consumed.
        observation: `[B, ...]`.
        number: N, fractions for each observation.
    """
    fractions = jax.random.uniform(key, (len(observation), number))
    return Quantiles(network.apply(params, observation, fractions), fractions)


def values(
    network: Network,
    params: NetworkParams,
    key: jax.Array,
    observation: Any,
    number: int,
) -> jax.Array:
    """Action values `[B, A]`: means over `number` quantiles; see `sample`."""
    return jnp.mean(sample(network, params, key, observation, number).z, axis=1)


def regression_loss(
    prediction: Quantiles, action: jax.Array, targets: jax.Array
) -> jax.Array:
    """Quantile regression of the actions taken.

    Args:
        prediction: of B observations.
        action: `[B]` actions taken.
        targets: `[B, M]` samples of the target distributions.

    Returns:
        `[B]` losses.
    """
    chex.assert_rank([prediction.z, prediction.fractions, action], [3, 2, 1])
    taken = jax.vmap(lambda z, a: z[:, a])(prediction.z, action)
    return jax.vmap(huber_loss)(taken, prediction.fractions, targets)


def huber_loss(z_tm1: jax.Array, fractions: jax.Array, targets: jax.Array) -> jax.Array:
    """Quantile Huber loss of one transition, with threshold 1.

    Args:
        z_tm1: `[N]` predicted quantiles of the action taken.
        fractions: `[N]` fractions of these quantiles.
        targets: `[M]` samples of the target distribution; they get no gradient.

    Returns:
        `[]` sum over predictions of the mean over targets of
        |sigma - 1{error < 0}| Huber(error), with error = target - prediction.

    Source: IQN, Eq. (3) with kappa = 1; summed over the fractions as in Dopamine,
    since a mean would divide the learning rate by N where Adam's epsilon dominates.
    """
    chex.assert_rank([z_tm1, fractions, targets], 1)
    chex.assert_equal_shape([z_tm1, fractions])
    errors = jax.lax.stop_gradient(targets)[None, :] - z_tm1[:, None]
    below = jax.lax.stop_gradient(errors < 0).astype(errors.dtype)
    weights = jnp.abs(fractions[:, None] - below)
    losses = weights * equations.regression_loss(errors, "huber")
    return jnp.sum(jnp.mean(losses, axis=1))
