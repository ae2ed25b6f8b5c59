"""Networks: a spec in, `(init, apply)` out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from agents.parts import checks
from agents.parts.types import NetworkParams, Spec

# (features, kernel, stride) of each convolution.
CONVOLUTIONS = {
    "nature": ((32, 8, 4), (64, 4, 2), (64, 3, 1)),  # Mnih et al. 2015, Nature
    "dqn2013": ((16, 8, 4), (32, 4, 2)),  # Mnih et al. 2013: a third of the cost
    "minatar": ((16, 3, 1),),  # Young and Tian 2019
    "mlp": (),
}


@dataclass(frozen=True)
class Config:
    """Shape of a network.

    Attributes:
        torso: convolutions: those of the Nature paper, of the 2013 paper, of MinAtar's
            paper, none.
        hidden: widths of the fully connected layers between torso and output.
    """

    torso: Literal["nature", "dqn2013", "minatar", "mlp"] = "nature"
    hidden: tuple[int, ...] = (512,)

    def __post_init__(self) -> None:
        for width in self.hidden:
            checks.at_least("network.hidden", width, 1)


class Network(NamedTuple):
    """A network without its parameters.

    Attributes:
        init: `(key) -> params`.
        apply: `(params, observation [B, ...]) -> [B, outputs]` float32.
    """

    init: Callable[[jax.Array], NetworkParams]
    apply: Callable[[NetworkParams, Any], jax.Array]


class Torso(nn.Module):
    """Convolutions over a frame stack, then fully connected layers, all with ReLU.

    Images `[B, S, H, W]` (stack first, as stored) are scaled from bytes to [0, 1];
    other observations are flattened as they are. Returns `[B, D]`.
    """

    convolutions: tuple[tuple[int, int, int], ...]
    hidden: tuple[int, ...]

    @nn.compact
    def __call__(self, observation: jax.Array) -> jax.Array:
        """Features of a batch of observations."""
        x = observation.astype(jnp.float32)
        if observation.dtype == jnp.uint8:
            x = x / 255.0
        initializer = nn.initializers.xavier_uniform()
        if self.convolutions:
            x = jnp.moveaxis(x, 1, -1)  # XLA convolves fastest with channels last
        for features, kernel, stride in self.convolutions:
            convolution = nn.Conv(
                features,
                (kernel, kernel),
                (stride, stride),
                padding="VALID",
                kernel_init=initializer,
            )
            x = nn.relu(convolution(x))
        x = x.reshape(x.shape[0], -1)
        for width in self.hidden:
            x = nn.relu(nn.Dense(width, kernel_init=initializer)(x))
        return x


class ActionValues(nn.Module):
    """A torso and one linear output for each action: `[B, ...] -> [B, A]`."""

    torso: Torso
    num_actions: int

    @nn.compact
    def __call__(self, observation: jax.Array) -> jax.Array:
        """Action values of a batch of observations."""
        head = nn.Dense(self.num_actions, kernel_init=nn.initializers.xavier_uniform())
        return head(self.torso(observation))


def make_torso(config: Config, spec: Spec) -> Torso:
    """Builds the torso; raises ValueError if it does not fit the observations."""
    shape = spec.observation.shape
    if config.torso != "mlp" and len(shape) != 3:
        raise ValueError(
            f"network.torso {config.torso} needs images, but observations have shape "
            f"{list(shape)}; choose --agent.network.torso mlp"
        )
    return Torso(CONVOLUTIONS[config.torso], config.hidden)


def action_values(config: Config, spec: Spec) -> Network:
    """A network with one output for each action.

    Raises:
        ValueError: the torso does not fit the observations, or actions are continuous.
    """
    if spec.num_actions < 1:
        raise ValueError(
            "this agent needs discrete actions, the environment's are continuous"
        )
    module = ActionValues(make_torso(config, spec), spec.num_actions)
    dummy = np.zeros((1, *spec.observation.shape), spec.observation.dtype)

    def apply(params: NetworkParams, observation: Any) -> jax.Array:
        return cast(jax.Array, module.apply(params, observation))

    return Network(lambda key: module.init(key, dummy), apply)
