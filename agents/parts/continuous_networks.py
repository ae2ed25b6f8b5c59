"""Networks of agents with continuous actions: policies, critics, state values."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from agents.parts import layers, networks
from agents.parts.contract import NetworkParams, Spec
from agents.parts.distributions import Gaussian, Histogram, TanhGaussian, squash
from agents.parts.networks import Torso, make_torso

# Bounds of the logarithm of a standard deviation; SAC's authors use -20 and 2.
LOG_STD = (-5.0, 2.0)
# Bins of a dimension of the action, and the degree of the preferences over them.
BINS, DEGREE = 31, 2


class Policy(NamedTuple):
    """A network from observations to actions, without its parameters.

    Attributes:
        init: `(key) -> params`.
        apply: `(params, observation [B, ...])` to distributions over actions, or to
            actions `[B, D]`; each builder documents which.
    """

    init: Callable[[jax.Array], NetworkParams]
    apply: Callable[[NetworkParams, Any], Any]


class Critic(NamedTuple):
    """Networks from observations and actions to values, without their parameters.

    Attributes:
        init: `(key) -> params`.
        apply: `(params, observation [B, ...], action [B, D]) -> [B, C]`, a value from
            each of C critics.
    """

    init: Callable[[jax.Array], NetworkParams]
    apply: Callable[[NetworkParams, Any, jax.Array], jax.Array]


class _Outputs(nn.Module):
    """A torso and linear outputs: `[B, ...] -> [B, size]`."""

    torso: Torso
    size: int
    start: nn.initializers.Initializer = nn.initializers.xavier_uniform()

    @nn.compact
    def __call__(self, observation: jax.Array) -> jax.Array:
        head = layers.dense(self.size, self.start)
        return head(self.torso(observation))


class _OfImages(nn.Module):
    """A critic of images: `[B, C, H, W], [B, D] -> [B, 1]`.

    The action enters after the convolutions.
    """

    convolutions: Torso
    layers: _Outputs

    @nn.compact
    def __call__(self, observation: jax.Array, action: jax.Array) -> jax.Array:
        features = self.convolutions(observation)
        return self.layers(jnp.concatenate([features, action], axis=-1))


def tanh_gaussian(config: networks.Config, spec: Spec) -> Policy:
    """A policy whose actions are the tanh of a diagonal Gaussian.

    Raises:
        InvalidSetting: the torso does not fit the observations.
        ValueError: actions are discrete or tokens.
    """
    size = action_size(spec)
    module = _Outputs(make_torso(config, spec), 2 * size)

    def apply(params: NetworkParams, observation: Any) -> TanhGaussian:
        mean, raw = jnp.split(_apply(module, params, observation), 2, axis=-1)
        return TanhGaussian(Gaussian(mean, _between(raw, *LOG_STD)))

    return Policy(functools.partial(_init, module, spec), apply)


def histogram(config: networks.Config, spec: Spec, temperature: float) -> Policy:
    """A policy over bins of each dimension of the action: softmax(f / temperature).

    The preferences f are quadratic in the action, without a constant term. They are
    linear in the network's outputs and similar in neighbouring bins. They start at 0,
    so the policy starts uniform.

    Raises:
        InvalidSetting: the torso does not fit the observations.
        ValueError: actions are discrete.
    """
    size = action_size(spec)
    # Legendre polynomials are orthogonal, so that coefficients do not interfere.
    centres = (2 * np.arange(BINS) + 1) / BINS - 1
    basis = np.polynomial.legendre.legvander(centres, DEGREE)[:, 1:].T / temperature
    torso, zeros = make_torso(config, spec), nn.initializers.zeros_init()
    module = _Outputs(torso, size * DEGREE, zeros)

    def apply(params: NetworkParams, observation: Any) -> Histogram:
        coefficients = _apply(module, params, observation)
        by_dimension = coefficients.reshape(-1, size, DEGREE)
        # GPUs must not round these action values over tau to TF32.
        exact = jnp.matmul(by_dimension, basis.astype(np.float32), precision="highest")
        return Histogram(exact)

    return Policy(functools.partial(_init, module, spec), apply)


def deterministic(config: networks.Config, spec: Spec) -> Policy:
    """A policy with one action for each observation, the tanh of its outputs.

    Raises:
        InvalidSetting: the torso does not fit the observations.
        ValueError: actions are discrete.
    """
    module = _Outputs(make_torso(config, spec), action_size(spec))

    def apply(params: NetworkParams, observation: Any) -> jax.Array:
        return squash(_apply(module, params, observation))

    return Policy(functools.partial(_init, module, spec), apply)


def state_value(
    config: networks.Config, spec: Spec, field: str = "network"
) -> networks.Network:
    """A network with one value for each observation, `[B, ...] -> [B]`.

    Args:
        config: shape of the network.
        spec: of the environment.
        field: name of `config` in the agent's configuration, for errors.

    Raises:
        InvalidSetting: the torso does not fit the observations.
    """
    module = _Outputs(make_torso(config, spec, field), 1)

    def apply(params: NetworkParams, observation: Any) -> jax.Array:
        return jnp.squeeze(_apply(module, params, observation), axis=-1)

    return networks.Network(functools.partial(_init, module, spec), apply)


def policy_and_value(policy: Policy, value: networks.Network) -> Policy:
    """Joins a policy and a state value in one network, without shared parameters.

    Its `apply` returns a pair: the output of `policy`, and values `[B]`.
    """

    def init(key: jax.Array) -> NetworkParams:
        policy_key, value_key = jax.random.split(key)
        return {"policy": policy.init(policy_key), "value": value.init(value_key)}

    def apply(params: NetworkParams, observation: Any) -> tuple[Any, jax.Array]:
        return (
            policy.apply(params["policy"], observation),
            value.apply(params["value"], observation),
        )

    return Policy(init, apply)


def critics(config: networks.Config, spec: Spec, number: int = 2) -> Critic:
    """Critics of the same shape with independent parameters.

    Their input is the flattened observation, or the features of an image's
    convolutions, followed by the action.

    Raises:
        InvalidSetting: the torso does not fit the observations.
        ValueError: actions are discrete.
    """
    size = action_size(spec)
    images = make_torso(dataclasses.replace(config, hidden=()), spec)
    layers = _Outputs(Torso((), config.hidden, layer_norm=config.layer_norm), 1)
    module = _OfImages(images, layers) if images.convolutions else layers

    def inputs(observation: Any, action: Any) -> tuple[Any, ...]:
        if images.convolutions:
            return observation, action
        flat = observation.reshape(len(action), -1).astype(jnp.float32)
        if observation.dtype == jnp.uint8:
            flat = flat / 255.0  # as a torso does
        return (jnp.concatenate([flat, action], axis=-1),)

    def init(key: jax.Array) -> NetworkParams:
        observation = np.zeros((1, *spec.observation.shape), spec.observation.dtype)
        dummy = inputs(observation, np.zeros((1, size), np.float32))
        return [module.init(own, *dummy) for own in jax.random.split(key, number)]

    def apply(params: NetworkParams, observation: Any, action: jax.Array) -> jax.Array:
        given = inputs(observation, action)
        values = [cast(jax.Array, module.apply(own, *given)) for own in params]
        return jnp.concatenate(values, axis=-1)

    return Critic(init, apply)


def action_size(spec: Spec) -> int:
    """D, the number of continuous actions.

    Raises:
        ValueError: actions are discrete.
    """
    if spec.kind != "continuous":
        raise ValueError(
            "this agent needs continuous actions, but the environment's are "
            f"{spec.kind}"
        )
    (size,) = spec.action.shape
    return int(size)


def _between(raw: jax.Array, low: float, high: float) -> jax.Array:
    """Bounds `raw` smoothly; unlike clipping, with a gradient near the bounds."""
    return low + 0.5 * (high - low) * (1 + jnp.tanh(raw))


def _init(module: nn.Module, spec: Spec, key: jax.Array) -> NetworkParams:
    dummy = np.zeros((1, *spec.observation.shape), spec.observation.dtype)
    return module.init(key, dummy)


def _apply(module: nn.Module, params: NetworkParams, inputs: Any) -> jax.Array:
    return cast(jax.Array, module.apply(params, inputs))
