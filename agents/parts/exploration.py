"""How agents with discrete actions explore."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import chex
import jax
import jax.numpy as jnp

from agents.parts import checks
from agents.parts.contract import Act, Params


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
            checks.steps(f"exploration.{name}", getattr(self, name), 0)


def epsilon(
    config: EpsilonGreedy, actor_steps: jax.Array, evaluation: jax.Array
) -> jax.Array:
    """Probability of a random action, `[]`, after `actor_steps` decisions."""
    past = actor_steps - config.start
    progress = jnp.clip(past / max(config.decay_steps, 1), 0.0, 1.0)
    decayed = config.initial + (config.final - config.initial) * progress
    training = jnp.where(past >= config.decay_steps, config.final, decayed)
    return jnp.where(evaluation, config.evaluation, training)


# (params, key, observation [N, ...], evaluation []) -> actions [N] int32
Choose = Callable[[Params, jax.Array, Any, jax.Array], jax.Array]


def greedy(values: Callable[[Params, jax.Array, Any], jax.Array]) -> Choose:
    """Chooses the action of the largest value.

    Args:
        values: `(params, key, observation [N, ...]) -> [N, A]`.
    """

    def choose(
        params: Params, key: jax.Array, observation: Any, evaluation: jax.Array
    ) -> jax.Array:
        del evaluation
        return jnp.argmax(values(params, key, observation), axis=-1)

    return choose


def softmax(
    values: Callable[[Params, jax.Array, Any], jax.Array], temperature: float
) -> Choose:
    """Samples the softmax of q / temperature, in training and in evaluation.

    Args:
        values: `(params, key, observation [N, ...]) -> [N, A]`.
        temperature: above 0.

    Source: Munchausen RL's code, `m_dqn.py` with `interact = "stochastic"`.
    """

    def choose(
        params: Params, key: jax.Array, observation: Any, evaluation: jax.Array
    ) -> jax.Array:
        del evaluation
        values_key, sample_key = jax.random.split(key)
        q = values(params, values_key, observation)
        # Subtracted first, since q / tau alone may overflow.
        advantage = q - jnp.max(q, axis=-1, keepdims=True)
        return jax.random.categorical(sample_key, advantage / temperature)

    return choose


# How an agent with a temperature turns action values into actions.
Acting = Literal["greedy", "stochastic"]


def sampled(logits: Callable[[Params, Any], jax.Array]) -> Choose:
    """Samples the policy in training; takes its most likely action in evaluation.

    Args:
        logits: `(params, observation [N, ...]) -> [N, A]`, up to a constant.
    """

    def choose(
        params: Params, key: jax.Array, observation: Any, evaluation: jax.Array
    ) -> jax.Array:
        preferences = logits(params, observation)
        sample = jax.random.categorical(key, preferences)
        return jnp.where(evaluation, jnp.argmax(preferences, axis=-1), sample)

    return choose


def randomise(
    key: jax.Array, actions: jax.Array, num_actions: int, probability: jax.Array
) -> jax.Array:
    """Replaces each action by a uniformly random one with the given probability.

    Args:
        key: consumed.
        actions: `[N]`.
        num_actions: A.
        probability: `[]`.

    Returns:
        `[N]` int32 actions.
    """
    chex.assert_rank([actions, probability], [1, 0])
    # One draw only: on the CPU it costs half of MinAtar's network at one state.
    whether, which = jax.random.uniform(key, (2, *actions.shape))
    # Rounding never gives A: uniform numbers are at most 1 - 2^-23.
    random = jnp.floor(num_actions * which).astype(jnp.int32)
    return jnp.where(whether < probability, random, actions).astype(jnp.int32)


def acting(choose: Choose, num_actions: int, config: EpsilonGreedy) -> Act:
    """The `act` of an agent that follows `choose`, or with epsilon acts randomly.

    Args:
        choose: as returned by `greedy` or `sampled`.
        num_actions: A.
        config: the schedule.
    """

    def act(
        params: Params,
        key: jax.Array,
        observation: Any,
        actor_steps: jax.Array,
        evaluation: jax.Array,
    ) -> tuple[jax.Array, Any]:
        explore_key, choice_key = jax.random.split(key)
        actions = choose(params, choice_key, observation, evaluation)
        probability = epsilon(config, actor_steps, evaluation)
        return randomise(explore_key, actions, num_actions, probability), ()

    return act
