"""How agents with discrete actions explore."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import chex
import jax
import jax.numpy as jnp

from agents.parts import checks
from agents.parts.types import Act, Params


@dataclass(frozen=True)
class EpsilonGreedy:
    """Linear decay of the probability of a uniformly random action.

    Attributes:
        initial: probability until `start`.
        final: probability from `start + decay_steps` on.
        start: actor steps before the decay begins (the replay's warm-up).
        decay_steps: actor steps of the decay; 0 jumps to `final` at `start`.
        evaluation: probability during evaluation.
    """

    initial: float = 1.0
    final: float = 0.01
    start: int = 20_000
    decay_steps: int = 250_000
    evaluation: float = 0.001

    def __post_init__(self) -> None:
        for name in ("initial", "final", "evaluation"):
            checks.between(f"exploration.{name}", getattr(self, name), 0, 1)
        for name in ("start", "decay_steps"):
            checks.at_least(f"exploration.{name}", getattr(self, name), 0)


def epsilon(
    config: EpsilonGreedy, actor_steps: jax.Array, evaluation: jax.Array
) -> jax.Array:
    """Probability of a random action, `[]`, after `actor_steps` decisions."""
    progress = (actor_steps - config.start) / max(config.decay_steps, 1)
    training = config.initial + (config.final - config.initial) * jnp.clip(
        progress, 0.0, 1.0
    )
    return jnp.where(evaluation, config.evaluation, training)


def epsilon_greedy(
    key: jax.Array, preferences: jax.Array, probability: jax.Array
) -> jax.Array:
    """Samples actions: uniform with the given probability, else the preferred one.

    Args:
        key: consumed.
        preferences: `[N, A]`, the largest is preferred.
        probability: `[]`.

    Returns:
        `[N]` int32 actions.
    """
    chex.assert_rank([preferences, probability], [2, 0])
    explore_key, action_key = jax.random.split(key)
    num_environments, num_actions = preferences.shape
    explore = jax.random.uniform(explore_key, (num_environments,)) < probability
    random = jax.random.randint(action_key, (num_environments,), 0, num_actions)
    return jnp.where(explore, random, jnp.argmax(preferences, axis=-1)).astype(
        jnp.int32
    )


def acting(
    preferences: Callable[[Params, Any], jax.Array], config: EpsilonGreedy
) -> Act:
    """The `act` of an agent that explores epsilon-greedily.

    Args:
        preferences: `(params, observation [N, ...]) -> [N, A]`, such as action values.
        config: the schedule.
    """

    def act(
        params: Params,
        key: jax.Array,
        observation: Any,
        actor_steps: jax.Array,
        evaluation: jax.Array,
    ) -> jax.Array:
        probability = epsilon(config, actor_steps, evaluation)
        return epsilon_greedy(key, preferences(params, observation), probability)

    return act
