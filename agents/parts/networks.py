"""Builds networks from a configuration and a spec, as `(init, apply)`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from agents.parts import checks, layers
from agents.parts.contract import NetworkParams, Spec

NATURE = ((32, 8, 4), (64, 4, 2), (64, 3, 1))  # Mnih et al. 2015, Nature

# (features, kernel, stride) of each convolution.
CONVOLUTIONS = {
    "nature": NATURE,
    "nature_padded": NATURE,
    "dqn2013": ((16, 8, 4), (32, 4, 2)),  # Mnih et al. 2013: a third of the cost
    "minatar": ((16, 3, 1),),  # Young and Tian 2019
    "mlp": (),
}

# Torsos whose images are padded with zeros, so that only strides shrink them.
PADDED = ("nature_padded",)


@dataclass(frozen=True)
class Config:
    """Shape of a network.

    Attributes:
        torso: convolutions of the Nature paper, the 2013 paper or MinAtar's paper; mlp:
            none. nature_padded: those of the Nature paper with padding, as Dopamine
            has them: 7,744 features of 84 x 84 pixels instead of 3,136. auto: none for
            vectors, those of MinAtar's paper for small images, those of the Nature
            paper for images of at least 36 x 36 pixels.
        hidden: widths of the fully connected layers between torso and output.
        layer_norm: whether these layers have layer normalisation, before the ReLU.
    """

    torso: Literal["nature", "nature_padded", "dqn2013", "minatar", "mlp", "auto"] = (
        "nature"
    )
    hidden: tuple[int, ...] = (512,)
    layer_norm: bool = False

    def __post_init__(self) -> None:
        checks.choices(self)
        for width in self.hidden:
            checks.at_least("network.hidden", width, 1)


class Network(NamedTuple):
    """A network without its parameters.

    Attributes:
        init: `(key) -> params`.
        apply: `(params, observation [B, ...], ...) -> [B, ...]` float32; each builder
            documents the inputs and the output.
    """

    init: Callable[[jax.Array], NetworkParams]
    apply: Callable[..., jax.Array]


def scaled(observation: Any) -> jax.Array:
    """Observations as float32; those of type uint8 are divided by 255."""
    found = jnp.asarray(observation, jnp.float32)
    return found / 255.0 if observation.dtype == jnp.uint8 else found


class Torso(nn.Module):
    """Convolutions over a frame stack, then fully connected layers, all with ReLU.

    Images `[B, S, H, W]` (stack first, as stored) are scaled from bytes to [0, 1];
    other observations are flattened unscaled. Returns `[B, D]`.
    """

    convolutions: tuple[tuple[int, int, int], ...]
    hidden: tuple[int, ...]
    initializer: nn.initializers.Initializer = nn.initializers.xavier_uniform()
    layer_norm: bool = False
    padding: Literal["VALID", "SAME"] = "VALID"

    @nn.compact
    def __call__(self, observation: jax.Array) -> jax.Array:
        """Features of a batch of observations."""
        x = scaled(observation)
        if self.convolutions:
            x = jnp.moveaxis(x, 1, -1)  # XLA convolves fastest with channels last
        for features, kernel, stride in self.convolutions:
            convolution = nn.Conv(
                features,
                (kernel, kernel),
                (stride, stride),
                padding=self.padding,
                kernel_init=self.initializer,
            )
            x = nn.relu(convolution(x))
        x = x.reshape(x.shape[0], -1)
        return _fully_connected(x, self.hidden, self.initializer, self.layer_norm)


class ActionValues(nn.Module):
    """A torso and one linear output for each action: `[B, ...] -> [B, A]`."""

    torso: Torso
    num_actions: int

    @nn.compact
    def __call__(self, observation: jax.Array) -> jax.Array:
        """Action values of a batch of observations."""
        head = layers.dense(self.num_actions, nn.initializers.xavier_uniform())
        return head(self.torso(observation))


class QuantileValues(nn.Module):
    """Quantiles of each action's return: `[B, ...], [B, N] -> [B, N, A]`.

    Features of the observation are multiplied by an embedding of the fraction, then
    go through the fully connected layers `hidden`.
    """

    torso: Torso
    hidden: tuple[int, ...]
    num_actions: int
    cosines: int

    @nn.compact
    def __call__(self, observation: jax.Array, fractions: jax.Array) -> jax.Array:
        """Quantiles `[B, N, A]` at the fractions `[B, N]` in (0, 1)."""
        features = self.torso(observation)
        chex.assert_rank([features, fractions], 2)
        frequencies = jnp.pi * jnp.arange(1, self.cosines + 1, dtype=jnp.float32)
        cosines = jnp.cos(frequencies[None, None] * fractions[:, :, None])
        embed = layers.dense(features.shape[-1], self.torso.initializer)
        x = features[:, None] * nn.relu(embed(cosines))
        initializer, layer_norm = self.torso.initializer, self.torso.layer_norm
        x = _fully_connected(x, self.hidden, initializer, layer_norm)
        return layers.dense(self.num_actions, initializer)(x)


def _fully_connected(
    x: jax.Array,
    widths: tuple[int, ...],
    initializer: nn.initializers.Initializer,
    layer_norm: bool,
) -> jax.Array:
    """Fully connected layers, whose parameters belong to the calling module."""
    for width in widths:
        x = layers.dense(width, initializer)(x)
        x = nn.relu(nn.LayerNorm()(x) if layer_norm else x)
    return x


def make_torso(config: Config, spec: Spec, field: str = "network") -> Torso:
    """Builds the torso.

    Args:
        config: shape of the network.
        spec: of the environment.
        field: name of `config` in the agent's configuration, for errors.

    Raises:
        InvalidSetting: the torso does not fit the observations.
    """
    return _torso(config, _convolutions(config, spec, field), config.hidden)


def _torso(
    config: Config,
    convolutions: tuple[tuple[int, int, int], ...],
    hidden: tuple[int, ...],
    **options: Any,
) -> Torso:
    """The torso of a configuration, with these layers."""
    return Torso(
        convolutions,
        hidden,
        layer_norm=config.layer_norm,
        padding="SAME" if config.torso in PADDED else "VALID",
        **options,
    )


def action_values(config: Config, spec: Spec) -> Network:
    """A network with one output for each action.

    Its `apply` is `(params, observation [B, ...]) -> [B, A]`.

    Raises:
        InvalidSetting: the torso does not fit the observations.
        ValueError: actions are continuous.
    """
    _check_discrete(spec)
    module = ActionValues(make_torso(config, spec), spec.num_actions)
    return _network(module, _observation(spec))


def quantile_values(config: Config, spec: Spec, cosines: int) -> Network:
    """An implicit quantile network.

    Its `apply` is `(params, observation [B, ...], fractions [B, N]) -> [B, N, A]`. The
    fractions enter after the convolutions or, without convolutions, before the last
    hidden layer.

    Args:
        config: shape of the network.
        spec: of the environment.
        cosines: size of the cosine embedding of a fraction.

    Raises:
        ValueError: as `action_values`.

    Source: IQN, Eq. (4) and Dopamine's `ImplicitQuantileNetwork`, with its initialiser.
    """
    _check_discrete(spec)
    convolutions = _convolutions(config, spec, "network")
    before = 0 if convolutions else max(len(config.hidden) - 1, 0)
    initializer = nn.initializers.variance_scaling(3**-0.5, "fan_in", "uniform")
    hidden = config.hidden[:before]
    torso = _torso(config, convolutions, hidden, initializer=initializer)
    module = QuantileValues(torso, config.hidden[before:], spec.num_actions, cosines)
    return _network(module, _observation(spec), np.full((1, 1), 0.5, np.float32))


def scalars(initial: Mapping[str, float]) -> Network:
    """Numbers that learn as networks do: `params` is a dictionary of `[]` float32.

    Its `apply` returns `params`.

    Args:
        initial: values by name.
    """
    start = {name: np.float32(value) for name, value in initial.items()}
    return Network(lambda key: jax.tree.map(jnp.asarray, start), lambda params: params)


def _network(module: nn.Module, *example: np.ndarray) -> Network:
    def apply(params: NetworkParams, *inputs: Any) -> jax.Array:
        return cast(jax.Array, module.apply(params, *inputs))

    return Network(lambda key: module.init(key, *example), apply)


def _observation(spec: Spec) -> np.ndarray:
    return np.zeros((1, *spec.observation.shape), spec.observation.dtype)


def _convolutions(
    config: Config, spec: Spec, field: str
) -> tuple[tuple[int, int, int], ...]:
    """The convolutions of a torso; none for vectors.

    Args:
        config: shape of the network.
        spec: of the environment.
        field: name of `config` in the agent's configuration, for errors.

    Raises:
        InvalidSetting: the torso does not fit the observations.
    """
    shape = spec.observation.shape
    if config.torso == "auto":
        known = ("nature", "minatar") if len(shape) == 3 else ()
        return CONVOLUTIONS[next((each for each in known if _fits(each, shape)), "mlp")]
    if config.torso != "mlp" and len(shape) != 3:
        wanted = f"mlp, for observations of shape {list(shape)}"
        raise checks.InvalidSetting(f"{field}.torso", config.torso, wanted)
    if not _fits(config.torso, shape):
        fitting = " or ".join(name for name in CONVOLUTIONS if _fits(name, shape))
        wanted = f"{fitting}, for images of {' x '.join(map(str, shape[1:]))} pixels"
        raise checks.InvalidSetting(f"{field}.torso", config.torso, wanted)
    return CONVOLUTIONS[config.torso]


def _fits(torso: str, shape: Sequence[int]) -> bool:
    return min(_image_size(torso, shape[1:]), default=1) >= 1


def _image_size(torso: str, size: Sequence[int]) -> list[int]:
    """Sides of an image after a torso's convolutions."""
    left = list(size)
    if torso in PADDED:
        return left  # which only divides them by the strides and rounds up
    for _, kernel, stride in CONVOLUTIONS[torso]:
        left = [(side - kernel) // stride + 1 for side in left]
    return left


def _check_discrete(spec: Spec) -> None:
    if spec.kind != "discrete":
        raise ValueError(
            f"this agent needs discrete actions, but the environment's are {spec.kind}"
        )
