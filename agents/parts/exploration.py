"""How agents with discrete actions explore."""

from dataclasses import dataclass

import chex
import jax
import jax.numpy as jnp


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

    def __post_init__(self):
        for name in ("initial", "final", "evaluation"):
            if not 0 <= getattr(self, name) <= 1:
                value = getattr(self, name)
                raise ValueError(f"exploration.{name} is {value}: between 0 and 1")
        for name in ("start", "decay_steps"):
            if getattr(self, name) < 0:
                raise ValueError(
                    f"exploration.{name} is {getattr(self, name)}: at least 0"
                )


def epsilon(
    config: EpsilonGreedy, actor_steps: chex.Array, evaluation: chex.Array
) -> chex.Array:
    """Probability of a random action, `[]`, after `actor_steps` decisions."""
    progress = (actor_steps - config.start) / max(config.decay_steps, 1)
    training = config.initial + (config.final - config.initial) * jnp.clip(
        progress, 0.0, 1.0
    )
    return jnp.where(evaluation, config.evaluation, training)


def epsilon_greedy(
    key: chex.PRNGKey, preferences: chex.Array, probability: chex.Array
) -> chex.Array:
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
