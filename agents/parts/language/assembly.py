"""Assembles agents whose action is a completion, from networks, a loss and a policy.

An observation is a prompt, then the task's reference completion; the action is a
completion. The network that learns and acts is `policy`, if the paper does not say
otherwise; others, such as a teacher, keep the parameters that they are given.

Letters in shapes: B sequences, N environments of one actor, P columns of prompts, T
columns of completions.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, Protocol

import chex
import jax
import jax.numpy as jnp

from agents.parts import checks, sgd
from agents.parts.contract import (
    Act,
    Agent,
    Measure,
    Metrics,
    NetworkParams,
    Others,
    Params,
    Spec,
    Storage,
    Transition,
)
from agents.parts.language import (
    accumulation,
    sampling,
    sequences,
    transformer,
)

Average = Literal["token_mean", "sequence_mean"]
_WEIGHTS = {
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


class Part(NamedTuple):
    """Some rows of a batch; sums over the parts of a batch are means over the batch.

    Attributes:
        prompt: `[b, P]`.
        completion: `[b, T]`, the actions.
        batch: the rows of the transitions.
        weights: `[b, T]`, of each token in the loss.
        token_weights: `[b, T]`, of each token in a mean over all tokens of the batch.
        row_weights: `[b]`, of each row in a mean over all rows of the batch.
    """

    prompt: jax.Array
    completion: jax.Array
    batch: Transition
    weights: jax.Array
    token_weights: jax.Array
    row_weights: jax.Array

    def average(self, losses: jax.Array) -> jax.Array:
        """The part's share of the configured mean: `[b, T] -> []`."""
        return sequences.weighted(losses, self.weights)

    def token_mean(self, values: jax.Array) -> jax.Array:
        """The part's share of the mean over all tokens: `[b, T] -> []`."""
        return sequences.weighted(values, self.token_weights)

    def row_mean(self, values: jax.Array) -> jax.Array:
        """The part's share of the mean over all rows: `[b] -> []`."""
        chex.assert_equal_shape([values, self.row_weights])
        return jnp.sum(values * self.row_weights)


# (params, part) -> ([] the part's share of the loss, shares of metrics)
PartLoss = Callable[[Params, Part], tuple[jax.Array, Metrics]]


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

    Raises:
        ValueError: the policy must imitate references, and the task has none.
    """
    if source is references and generated < 1:
        check_references(spec)
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


def with_others(
    act: Act, name: str, network: transformer.Config, spec: Spec, number: int
) -> Act:
    """Adds samples of another network for the same prompts, which the actor scores.

    They are in the extras of `act` as `others`; in evaluation none are drawn.

    Args:
        act: gives the completions that count, and their extras.
        name: of the other network.
        network: shape of the other network.
        spec: of the task.
        number: K, of samples for each prompt.
    """
    [columns] = spec.action.shape

    def both(
        params: Params,
        key: jax.Array,
        observation: Any,
        actor_steps: Any,
        evaluation: Any,
    ) -> tuple[jax.Array, Any]:
        own_key, other_key = jax.random.split(key)
        tokens, extras = act(params, own_key, observation, actor_steps, evaluation)
        prompt, _ = split(observation, spec)
        shape = (len(prompt), number, columns)
        others = jax.lax.cond(
            evaluation,
            lambda: jnp.full(shape, sequences.PAD, jnp.int32),
            lambda: sampling.generate_several(
                params[name], network, other_key, prompt, number, columns
            ),
        )
        scores = jnp.zeros(shape[:2])  # the actor replaces them
        return tokens, {**extras, "others": Others(others, scores)}

    return both


def log_prob(
    params: NetworkParams,
    network: transformer.Config,
    prompt: jax.Array,
    completion: jax.Array,
    parts: int,
) -> jax.Array:
    """Log-probabilities `[B]` of whole completions; without gradient, in parts.

    Args:
        params: of a decoder.
        network: of the decoder.
        prompt: `[B, P]`.
        completion: `[B, T]`.
        parts: see `accumulation.number_of_parts`.
    """

    def of_rows(rows: tuple[jax.Array, jax.Array]) -> jax.Array:
        return jnp.sum(sampling.score(params, network, *rows), axis=1)

    return accumulation.mapped(of_rows, (prompt, completion), parts)


def check_references(spec: Spec) -> None:
    """Raises ValueError if the task has no reference completions."""
    if not spec.references:
        raise ValueError(
            "this agent learns from reference completions, but the task has none: let "
            "its `draw` return a reference with each prompt, or choose an agent whose "
            "policy or teacher generates all completions"
        )


def loss_in_parts(
    spec: Spec,
    part_loss: PartLoss,
    *,
    parts: int,
    average: Average = "token_mean",
    network: str = "policy",
) -> sgd.Loss:
    """The loss of a network, computed in parts of the batch.

    The metrics are those of `part_loss`, and of the completions.

    Args:
        spec: of the task.
        part_loss: of some rows.
        parts: see `accumulation.number_of_parts`.
        average: of `Part.average`: mean over all tokens of the batch, or over sequences
            of their means.
        network: name of the network that learns.
    """

    def loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        del target_params, key
        prompt, _ = split(batch.observation, spec)
        mask = sequences.completion_mask(batch.action)
        whole = Part(
            prompt,
            batch.action,
            batch,
            _WEIGHTS[average](mask),
            sequences.token_weights(mask),
            jnp.full(len(mask), 1 / len(mask)),
        )

        def of_part(own: NetworkParams, part: Part) -> tuple[jax.Array, Metrics]:
            return part_loss({**params, network: own}, part)

        value, metrics = accumulation.summed(of_part, params[network], whole, parts)
        return value, metrics | completion_metrics(batch.action)

    return loss


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
    learned: str = "policy",
    critic_loss: sgd.Loss | None = None,
    measure: Measure | None = None,
    target_update: sgd.TargetUpdate | None = None,
) -> Agent:
    """Builds an agent that uses each completion once.

    One network learns, and with a critic the network `value` after it.

    Args:
        config: the paper's.
        networks: by name, with their vocabulary; those that do not learn must be given.
        loss: of the network that learns.
        act: see `Agent`.
        learned: name of the network that learns.
        critic_loss: of `value`, a decoder; None: the agent has no critic.
        measure: see `Agent`.
        target_update: of the targets of the networks that learn; None: they have none.

    Raises:
        InvalidSetting: a setting is not among the choices that its type lists.
    """
    checks.choices(config)
    losses = {learned: loss} | ({"value": critic_loss} if critic_loss else {})
    init, update = sgd.learner(
        networks={
            name: functools.partial(transformer.init, config=network)
            for name, network in networks.items()
        },
        losses=losses,
        optimizers={name: config.optimizer.make() for name in losses},
        target_update=target_update,
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
        given=tuple(name for name in networks if name not in losses),
    )
