"""Assembles agents whose action is a completion, from networks, a loss and a policy.

An observation is a prompt, then the task's reference completion; the action is a
completion. The network that learns and acts is `policy`; others, such as a teacher,
keep the parameters that they are given.

Letters in shapes: B sequences, N environments of one actor, P columns of prompts, T
columns of completions.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

import chex
import jax
import jax.numpy as jnp

from agents.parts import checks, sgd
from agents.parts.contract import (
    Act,
    Agent,
    Measure,
    Metrics,
    Params,
    Spec,
    Storage,
)
from agents.parts.language import sampling, sequences, transformer

Average = Literal["token_mean", "sequence_mean"]
AVERAGES = {
    "token_mean": sequences.token_mean,
    "sequence_mean": sequences.sequence_mean,
}
# The same means as weights `[B, T]` of a mask, for losses that are computed in parts.
WEIGHTS = {
    "token_mean": sequences.token_weights,
    "sequence_mean": sequences.sequence_weights,
}


# (params, key, prompt [N, P], reference [N, T]) -> completion of each prompt
Source = Callable[[Params, jax.Array, jax.Array, jax.Array], sampling.Completion]


class Settings(Protocol):
    """Fields that the configuration of a language paper has."""

    @property
    def optimizer(self) -> sgd.Optimizer:
        """Optimiser of the policy."""

    @property
    def batch_size(self) -> int:
        """B, completions of one update."""


def for_task(network: transformer.Config, spec: Spec) -> transformer.Config:
    """The network with the task's vocabulary.

    Raises:
        ValueError: the task's actions are not tokens.
        InvalidSetting: the network has another vocabulary.
    """
    if len(spec.action.shape) != 1 or not spec.num_actions:
        raise ValueError("a language agent needs a task whose actions are tokens")
    if network.vocabulary not in (0, spec.num_actions):
        raise checks.InvalidSetting(
            "network.vocabulary",
            network.vocabulary,
            f"0 or the size of the task's vocabulary, {spec.num_actions}",
        )
    return dataclasses.replace(network, vocabulary=spec.num_actions)


def split(observation: Any, spec: Spec) -> tuple[jax.Array, jax.Array]:
    """Prompt and reference: `[B, P + T] -> [B, P], [B, T]`."""
    chex.assert_rank(observation, 2)
    [columns] = spec.action.shape
    observation = jnp.asarray(observation)
    return observation[:, :-columns], observation[:, -columns:]


def references(
    params: Params, key: jax.Array, prompt: jax.Array, reference: jax.Array
) -> sampling.Completion:
    """The task's references: a `Source`."""
    del params, key, prompt
    return sampling.Completion(reference, jnp.zeros(reference.shape))


def acting(
    network: transformer.Config,
    spec: Spec,
    *,
    generated: float,
    temperature: float,
    evaluation_temperature: float,
    source: Source = references,
) -> Act:
    """The policy's completions, or those of another source.

    In evaluation all completions are the policy's. In training one draw for each call
    decides whether all of its completions are, as in Algorithm 1 of GKD.

    Args:
        network: of the policy.
        spec: of the task.
        generated: probability that the policy generates in a call of training. If it
            is 0, nothing is stored with the completions; else their `log_probs`
            `[N, T]` are, as the source gives them if the policy did not generate.
        temperature: of the policy in training.
        evaluation_temperature: of the policy in evaluation; 0 is greedy.
        source: of the other completions in training.
    """
    [columns] = spec.action.shape

    def act(
        params: Params,
        key: jax.Array,
        observation: Any,
        actor_steps: Any,
        evaluation: Any,
    ) -> tuple[jax.Array, Any]:
        del actor_steps
        prompt, reference = split(observation, spec)
        draw_key, sample_key = jax.random.split(key)
        chosen = jax.random.uniform(draw_key) < generated
        tokens, log_probs = jax.lax.cond(
            evaluation | chosen,
            lambda: sampling.generate(
                params["policy"],
                network,
                sample_key,
                prompt,
                columns,
                jnp.where(evaluation, evaluation_temperature, temperature),
            ),
            lambda: source(params, sample_key, prompt, reference),
        )
        return tokens, {"log_probs": log_probs} if generated else ()

    return act


def completion_metrics(completion: jax.Array) -> Metrics:
    """Mean length of completions `[B, T]`, and the share that was cut at T."""
    ended = jnp.any(completion == sequences.EOS, axis=1)
    return {
        "completion_length": jnp.mean(sequences.completion_length(completion)),
        "truncated": jnp.mean(~ended),
    }


def assemble(
    config: Settings,
    *,
    networks: Mapping[str, transformer.Config],
    loss: sgd.Loss,
    act: Act,
    measure: Measure | None = None,
) -> Agent:
    """Builds an agent whose network `policy` learns; each completion is used once.

    Args:
        config: the paper's.
        networks: by name, with their vocabulary; those besides `policy` must be given.
        loss: of the policy.
        act: see `Agent`.
        measure: see `Agent`.

    Raises:
        InvalidSetting: a setting is not among the choices that its type lists.
    """
    checks.choices(config)
    init, update = sgd.learner(
        networks={
            name: functools.partial(transformer.init, config=network)
            for name, network in networks.items()
        },
        losses={"policy": loss},
        optimizers={"policy": config.optimizer.make()},
        target_update=sgd.periodic(1),  # nothing reads the target
    )
    size = config.batch_size
    storage = Storage(
        order="queue",
        capacity=size,
        min_size=size,
        batch_size=size,
        samples_per_insert=1.0,
    )
    return Agent(
        init,
        update,
        act,
        storage,
        discount=1.0,
        measure=measure,
        given=tuple(name for name in networks if name != "policy"),
    )
