"""Networks of agents with continuous actions: policies, critics, state values."""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from agents.parts import checks, layers, networks
from agents.parts.contract import NetworkParams, Spec
from agents.parts.distributions import Gaussian, Histogram, TanhGaussian, squash
from agents.parts.networks import Torso, make_torso, scaled

# Bounds of the logarithm of a standard deviation; SAC's authors use -20 and 2.
LOG_STD = (-5.0, 2.0)
# Bins of a dimension of the action, and the degree of the preferences over them.
BINS, DEGREE = 31, 2


def check_target_entropy(target: float, policy: str = "tanh_gaussian") -> None:
    """Refuses a target that no policy has: the temperature would move without end.

    Args:
        target: policy entropy of each action dimension, in nats.
        policy: histogram or tanh_gaussian.

    Raises:
        InvalidSetting: the target is above ln 2, the entropy of uniform actions on
            [-1, 1], or below that of one bin of a histogram.
    """
    checks.at_most("target_entropy", target, math.log(2))
    if policy == "histogram":
        checks.between("target_entropy", target, math.log(2 / BINS), math.log(2))


class Policy(NamedTuple):
    """A network from observations to actions, without its parameters.

    Attributes:
        init: `(key) -> params`.
        apply: `(params, observation [B, ...])` to distributions over actions, or to
            actions `[B, D]`; each builder documents which.
    """

    init: Callable[[jax.Array], NetworkParams]
    apply: Callable[[NetworkParams, Any], Any]


class Head(NamedTuple):
    """What makes distributions over actions of the outputs of a network.

    Attributes:
        size: number of outputs.
        distribution: `(outputs [B, size], temperature [])` to distributions over
            actions.
    """

    size: int
    distribution: Callable[[jax.Array, jax.Array], Any]


class PolicyAndValue(NamedTuple):
    """A network from observations to actions and values, without its parameters.

    Attributes:
        init: `(key) -> params`.
        apply: `(params, observation [B, ...], temperature [])` to distributions over
            actions, and values `[B]`.
    """

    init: Callable[[jax.Array], NetworkParams]
    apply: Callable[[NetworkParams, Any, jax.Array], tuple[Any, jax.Array]]


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
    module = _Outputs(make_torso(config, spec), 2 * action_size(spec))

    def apply(params: NetworkParams, observation: Any) -> TanhGaussian:
        return _tanh_gaussian(_apply(module, params, observation))

    return Policy(functools.partial(_init, module, spec), apply)


def _tanh_gaussian(outputs: jax.Array) -> TanhGaussian:
    """The distribution whose means and raw deviations are `outputs [B, 2 D]`."""
    mean, raw = jnp.split(outputs, 2, axis=-1)
    return TanhGaussian(Gaussian(mean, _between(raw, *LOG_STD)))


def tanh_gaussian_head(spec: Spec) -> Head:
    """The tanh of a diagonal Gaussian, at every temperature the same.

    Raises:
        ValueError: actions are discrete or tokens.
    """
    return Head(
        2 * action_size(spec), lambda outputs, temperature: _tanh_gaussian(outputs)
    )


def histogram_head(spec: Spec) -> Head:
    """Bins of each dimension of the action, with softmax(f / temperature).

    The preferences f are quadratic in the action, without a constant term. They are
    linear in the outputs and similar in neighbouring bins.

    Raises:
        ValueError: actions are discrete or tokens.
    """
    size = action_size(spec)
    # Legendre polynomials are orthogonal, so that coefficients do not interfere.
    centres = (2 * np.arange(BINS) + 1) / BINS - 1
    basis = np.polynomial.legendre.legvander(centres, DEGREE)[:, 1:].T

    def distribution(outputs: jax.Array, temperature: jax.Array) -> Histogram:
        by_dimension = outputs.reshape(-1, size, DEGREE)
        # GPUs must not round these action values over tau to TF32.
        exact = jnp.matmul(by_dimension, basis.astype(np.float32), precision="highest")
        return Histogram(exact / temperature)

    return Head(size * DEGREE, distribution)


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


def policy_and_value(
    head: Head,
    config: networks.Config,
    spec: Spec,
    value_config: networks.Config | None = None,
) -> PolicyAndValue:
    """A policy and a state value.

    Outputs start at 0, so the policy of a histogram starts uniform.

    Args:
        head: makes the distribution.
        config: shape of the network.
        spec: of the environment.
        value_config: shape of a network for the value alone; none: the value is one
            more output of the policy's network.

    Raises:
        InvalidSetting: a torso does not fit the observations.
    """
    zeros = nn.initializers.zeros_init()
    if value_config is not None:
        policy = _Outputs(make_torso(config, spec), head.size, zeros)
        value = _Outputs(make_torso(value_config, spec, "value_network"), 1)
        return _apart(head, policy, value, spec)
    module = _Outputs(make_torso(config, spec), head.size + 1, zeros)

    def apply(
        params: NetworkParams, observation: Any, temperature: jax.Array
    ) -> tuple[Any, jax.Array]:
        outputs = _apply(module, params, observation)
        return head.distribution(outputs[:, :-1], temperature), outputs[:, -1]

    return PolicyAndValue(functools.partial(_init, module, spec), apply)


def _apart(
    head: Head, policy: nn.Module, value: nn.Module, spec: Spec
) -> PolicyAndValue:
    """A policy and a value without shared parameters."""

    def init(key: jax.Array) -> NetworkParams:
        policy_key, value_key = jax.random.split(key)
        return {
            "policy": _init(policy, spec, policy_key),
            "value": _init(value, spec, value_key),
        }

    def apply(
        params: NetworkParams, observation: Any, temperature: jax.Array
    ) -> tuple[Any, jax.Array]:
        outputs = _apply(policy, params["policy"], observation)
        values = _apply(value, params["value"], observation)
        return head.distribution(outputs, temperature), jnp.squeeze(values, axis=-1)

    return PolicyAndValue(init, apply)


def ensemble(network: PolicyAndValue, members: int) -> PolicyAndValue:
    """Networks of the same shape with independent parameters.

    Parameters, distributions and values have an axis `[M]` in front.

    Args:
        network: one of them.
        members: M.
    """

    def init(key: jax.Array) -> NetworkParams:
        return jax.vmap(network.init)(jax.random.split(key, members))

    return PolicyAndValue(init, jax.vmap(network.apply, in_axes=(0, None, None)))


def joint(distributions: Any) -> Any:
    """The distributions whose parameters are the means of an ensemble's.

    Args:
        distributions: of an `ensemble`, with leaves `[M, B, ...]`.
    """
    return jax.tree.map(lambda leaf: jnp.mean(leaf, axis=0), distributions)


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
        flat = scaled(observation).reshape(len(action), -1)
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
