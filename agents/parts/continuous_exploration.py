"""How agents with continuous actions explore."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from agents.parts import checks
from agents.parts.contract import Act, Params, Spec, Storage
from agents.parts.distributions import LARGEST

# Storage of agents that do one learner step for each actor step.
UPDATE_EACH_STEP = Storage(min_size=10_000, batch_size=256, samples_per_insert=256.0)


@dataclass(frozen=True)
class RandomStart:
    """Uniformly random actions at first, then the policy's.

    Attributes:
        start: actor steps with actions that are uniform in [-1, 1].
    """

    start: int = 10_000

    def __post_init__(self) -> None:
        checks.steps("exploration.start", self.start, 0)


@dataclass(frozen=True)
class GaussianNoise:
    """Uniformly random actions at first, then the policy's with noise.

    Attributes:
        start: actor steps with actions that are uniform in [-1, 1].
        scale: standard deviation of the noise; noisy actions are clipped to [-1, 1].
    """

    start: int = 10_000
    scale: float = 0.1

    def __post_init__(self) -> None:
        checks.steps("exploration.start", self.start, 0)
        checks.at_least("exploration.scale", self.scale, 0)


def acting(
    sample: Callable[[Params, jax.Array, Any], jax.Array],
    best: Callable[[Params, Any], jax.Array],
    spec: Spec,
    *,
    start: int,
) -> Act:
    """The `act` of an agent with continuous actions.

    Args:
        sample: `(params, key, observation [N, ...]) -> [N, D]`, actions in training.
        best: `(params, observation [N, ...]) -> [N, D]`, actions in evaluation.
        spec: of the environment.
        start: actor steps with uniformly random actions before the policy explores.
    """

    def act(
        params: Params,
        key: jax.Array,
        observation: Any,
        actor_steps: jax.Array,
        evaluation: jax.Array,
    ) -> tuple[jax.Array, Any]:
        random_key, sample_key = jax.random.split(key)
        shape = (len(observation), *spec.action.shape)
        # Actions of exactly -1 or 1 have no density under a tanh-Gaussian.
        random = jax.random.uniform(random_key, shape, minval=-LARGEST, maxval=LARGEST)
        explored = jnp.where(
            jnp.asarray(actor_steps) < start,
            random,
            sample(params, sample_key, observation),
        )
        return jnp.where(evaluation, best(params, observation), explored), ()

    return act


def sampling(policy: Callable[[Params, Any], Any], spec: Spec, *, start: int) -> Act:
    """The `act` of an agent that samples its policy; in evaluation, its median.

    Args:
        policy: `(params, observation [N, ...])` to distributions over actions that have
            `sample` and `median`.
        spec: of the environment.
        start: actor steps with uniformly random actions before the policy is sampled.
    """
    return acting(
        lambda params, key, observation: policy(params, observation).sample(key),
        lambda params, observation: policy(params, observation).median(),
        spec,
        start=start,
    )


def never_exploring(best: Callable[[Params, Any], jax.Array]) -> Act:
    """The `act` of an agent that learns from a dataset: always the best actions.

    Args:
        best: `(params, observation [N, ...]) -> [N, D]`.
    """

    def act(
        params: Params, key: Any, observation: Any, actor_steps: Any, evaluation: Any
    ) -> tuple[jax.Array, Any]:
        return best(params, observation), ()

    return act


def add_noise(key: jax.Array, action: jax.Array, scale: float) -> jax.Array:
    """Actions `[N, D]` with Gaussian noise, clipped to [-1, 1]; `key` is consumed."""
    noise = scale * jax.random.normal(key, action.shape, action.dtype)
    return jnp.clip(action + noise, -1.0, 1.0)
