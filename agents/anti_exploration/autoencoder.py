"""A conditional variational auto-encoder of actions, given observations."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from agents.parts import checks, layers, sgd
from agents.parts.continuous_networks import action_size
from agents.parts.contract import (
    Agent,
    Metrics,
    NetworkParams,
    Params,
    Spec,
    Storage,
    Transition,
    never_acts,
)
from agents.parts.distributions import Gaussian
from agents.parts.networks import Torso, scaled

# Bounds of the logarithm of a latent's standard deviation.
LOG_STD = (-4.0, 15.0)


@dataclass(frozen=True)
class Config:
    """Shape of the auto-encoder, and how it learns.

    Attributes:
        hidden: widths of the layers of the encoder, and of the decoder.
        latent_size: dimensions of a latent; 0: twice those of an action.
        divergence_weight: of the KL divergence in the loss.
        optimizer: Adam.
        batch_size: transitions per update.
    """

    hidden: tuple[int, ...] = (750, 750)
    latent_size: int = 0
    divergence_weight: float = 0.5
    optimizer: sgd.Optimizer = sgd.Optimizer(1e-4, 1e-8)
    batch_size: int = 100

    def __post_init__(self) -> None:
        for width in self.hidden:
            checks.at_least("autoencoder.hidden", width, 1)
        for name in ("latent_size", "divergence_weight"):
            checks.at_least(f"autoencoder.{name}", getattr(self, name), 0)
        checks.at_least("autoencoder.batch_size", self.batch_size, 1)


class Autoencoder(NamedTuple):
    """An auto-encoder without its parameters.

    Attributes:
        init: `(key) -> params`.
        encode: `(params, observation [B, ...], action [B, D])` to distributions over
            latents, a Gaussian of `[B, L]`.
        decode: `(params, observation [B, ...], latent [B, L]) -> [B, D]`, actions in
            [-1, 1].
    """

    init: Callable[[jax.Array], NetworkParams]
    encode: Callable[[NetworkParams, Any, jax.Array], Gaussian]
    decode: Callable[[NetworkParams, Any, jax.Array], jax.Array]


class _Layers(nn.Module):
    """Fully connected layers, the last one linear."""

    hidden: tuple[int, ...]
    size: int

    @nn.compact
    def __call__(self, inputs: jax.Array) -> jax.Array:
        head = layers.dense(self.size, nn.initializers.xavier_uniform())
        return head(Torso((), self.hidden)(inputs))


def make(config: Config, spec: Spec) -> Autoencoder:
    """Builds the auto-encoder; observations are flattened.

    Raises:
        ValueError: actions are discrete.
    """
    size = action_size(spec)
    latent_size = config.latent_size or 2 * size
    flat_size = int(np.prod(spec.observation.shape))
    encoder = _Layers(config.hidden, 2 * latent_size)
    decoder = _Layers(config.hidden, size)

    def init(key: jax.Array) -> NetworkParams:
        encoder_key, decoder_key = jax.random.split(key)
        inputs = np.zeros((1, flat_size + size), np.float32)
        latents = np.zeros((1, flat_size + latent_size), np.float32)
        return {
            "encoder": encoder.init(encoder_key, inputs),
            "decoder": decoder.init(decoder_key, latents),
        }

    def encode(params: NetworkParams, observation: Any, action: jax.Array) -> Gaussian:
        inputs = _beside(observation, action)
        outputs = cast(jax.Array, encoder.apply(params["encoder"], inputs))
        mean, log_std = jnp.split(outputs, 2, axis=-1)
        return Gaussian(mean, jnp.clip(log_std, *LOG_STD))

    def decode(params: NetworkParams, observation: Any, latent: jax.Array) -> jax.Array:
        inputs = _beside(observation, latent)
        return jnp.tanh(cast(jax.Array, decoder.apply(params["decoder"], inputs)))

    return Autoencoder(init, encode, decode)


def divergence(latents: Gaussian) -> jax.Array:
    """KL divergences `[..., L]` of latents from the standard normal distribution."""
    variance = jnp.exp(2 * latents.log_std)
    return 0.5 * (jnp.square(latents.mean) + variance - 1) - latents.log_std


def rebuild(
    model: Autoencoder,
    params: NetworkParams,
    key: jax.Array,
    observation: Any,
    action: jax.Array,
) -> tuple[jax.Array, Gaussian]:
    """Returns actions `[B, D]` rebuilt from a latent of each, and the latents.

    One latent of each action is drawn, reparameterised; `key` is consumed.
    """
    latents = model.encode(params, observation, action)
    rebuilt = model.decode(params, observation, latents.sample(key))
    chex.assert_equal_shape([rebuilt, action])
    return rebuilt, latents


def stage(config: Config, spec: Spec, *, name: str, discount: float) -> Agent:
    """Builds the stage that learns an auto-encoder of the dataset's actions.

    The loss is the squared error plus the weighted divergence, each a mean over batch
    and dimensions.

    Args:
        config: of the auto-encoder.
        spec: of the environment.
        name: of the network.
        discount: gamma of the auto-encoder's agent; not used in learning.
    """
    model = make(config, spec)

    def loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        rebuilt, latents = rebuild(
            model, params[name], key, batch.observation, batch.action
        )
        error = jnp.mean(jnp.square(rebuilt - batch.action))
        kl = jnp.mean(divergence(latents))
        value = error + config.divergence_weight * kl
        return value, {"rebuilding_error": error, "divergence": kl}

    init, update = sgd.learner(
        networks={name: model.init},
        losses={name: loss},
        optimizers={name: config.optimizer.make()},
    )
    storage = Storage(batch_size=config.batch_size)
    return Agent(init, update, never_acts, storage, discount)


def _beside(observation: Any, vector: jax.Array) -> jax.Array:
    flat = scaled(observation).reshape(len(vector), -1)
    return jnp.concatenate([flat, vector], axis=-1)
