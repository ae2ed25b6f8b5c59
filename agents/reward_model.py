"""Reward model: a decoder learns which of two completions is preferred.

No paper defines it; the loss is that of Bradley and Terry (1952). "WARM: On the
Benefits of Weight Averaged Reward Models" averages the weights of several
(https://arxiv.org/abs/2401.12187), and `warm` learns from their reward.

| symbol | here |
| --- | --- |
| x | the prompt |
| y+, y- | two samples of the network `sft`; the task scores y+ higher |
| r_phi | `reward.rewards` of the network `reward` |
| -log sigma(r_phi(x, y+) - r_phi(x, y-)) | `pair_losses` |

The network `reward` must begin with the weights of `sft`; then all rewards are 0. The
metric `accuracy` counts a pair of equal rewards as right, so it begins at 1. In
evaluation the action is the best of N samples of `sft` by the learned reward. So the
return says what the reward is worth: with one that knows nothing, it is that of `sft`.

Deviations:
- Pairs are new in each update, where WARM has a fixed data set of them;
  `environment.prompts` limits the prompts only.
- WARM trains a linear head first, which all reward models share. Here the head is the
  embedding of PAD, which they share as they begin with the same policy.
- The defaults of rate and batch suit small networks.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from agents.parts import checks, sgd
from agents.parts.contract import (
    Act,
    Agent,
    Metrics,
    Others,
    Params,
    Spec,
    Transition,
)
from agents.parts.language import assembly, reward, sampling, sequences, transformer


@dataclass(frozen=True)
class Config:
    """Hyper-parameters; the defaults suit small networks.

    Attributes:
        flipped: share of the pairs whose preference is swapped; WARM has 0 and 0.25.
        candidates: N, samples of `sft` for each prompt in evaluation.
        network: shape of the decoder, also of `sft`.
        optimizer: Adam.
        batch_size: pairs per update.
        parts: the gradient is the sum of those of so many parts of the batch, which
            need less memory; 0: 4 on a CPU, where they are also faster, else 1.
    """

    flipped: float = 0.0
    candidates: int = 8
    network: transformer.Config = transformer.Config()
    optimizer: sgd.Optimizer = sgd.Optimizer(3e-4, 1e-8)
    batch_size: int = 32
    parts: int = 0

    def __post_init__(self) -> None:
        checks.choices(self)
        checks.between("flipped", self.flipped, 0, 1)
        for name in ("candidates", "batch_size"):
            checks.at_least(name, getattr(self, name), 1)
        checks.parts(self.parts, self.batch_size)


class Pairs(NamedTuple):
    """What the loss needs of a batch of pairs.

    Attributes:
        other: `[B, T]`, the second completion of each pair; the first is the action.
        sign: `[B]`, 1 if the first is preferred, -1 if the second, 0 if they are equal.
        weight: `[B]`, of each pair in a mean over the pairs that are not equal.
    """

    other: jax.Array
    sign: jax.Array
    weight: jax.Array


def pairs_of(batch: Transition, flipped: float, key: jax.Array) -> Pairs:
    """Preferences by the task's scores; pairs of equal score have none.

    Args:
        batch: whose extras have the scored second completions.
        flipped: share of the preferences that are swapped.
        key: consumed.
    """
    others: Others = batch.extras["others"]
    chex.assert_shape(others.rewards, (len(batch.reward), 1))
    swapped = jax.random.uniform(key, batch.reward.shape) < flipped
    sign = jnp.sign(batch.reward - others.rewards[:, 0])
    unequal = sign != 0
    weight = unequal / jnp.maximum(jnp.sum(unequal), 1)
    return Pairs(others.actions[:, 0], jnp.where(swapped, -sign, sign), weight)


def pair_losses(first: jax.Array, second: jax.Array, sign: jax.Array) -> jax.Array:
    """-log sigma of the preferred reward less the other one: `[B]`."""
    chex.assert_equal_shape([first, second, sign])
    return -jax.nn.log_sigmoid(sign * (first - second))


def loss_of(config: Config, network: transformer.Config, spec: Spec) -> sgd.Loss:
    """The mean loss of the pairs that have a preference."""

    def part_loss(params: Params, part: assembly.Part) -> tuple[jax.Array, Metrics]:
        pairs: Pairs = part.batch.extras
        first, second = (
            reward.rewards(params["reward"], params["sft"], network, part.prompt, each)
            for each in (part.completion, pairs.other)
        )
        right = pairs.sign * (first - second) >= 0
        losses = pair_losses(first, second, pairs.sign)
        return jnp.sum(pairs.weight * losses), {
            "accuracy": jnp.sum(pairs.weight * right),
            "score": part.row_mean(part.batch.reward),
            "reward_mean": part.row_mean(first),
        }

    in_parts = assembly.loss_in_parts(
        spec, part_loss, parts=config.parts, network="reward"
    )

    def loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        pairs = pairs_of(batch, config.flipped, key)
        return in_parts(params, target_params, batch._replace(extras=pairs), key)

    return loss


def acting(config: Config, network: transformer.Config, spec: Spec) -> Act:
    """Pairs of samples in training, the best of N in evaluation."""
    [columns] = spec.action.shape

    def act(
        params: Params,
        key: jax.Array,
        observation: Any,
        actor_steps: Any,
        evaluation: Any,
    ) -> tuple[jax.Array, Any]:
        del actor_steps
        prompt, _ = assembly.split(observation, spec)

        def drawn(number: int) -> jax.Array:
            return sampling.generate_several(
                params["sft"], network, key, prompt, number, columns
            )

        def pair() -> tuple[jax.Array, jax.Array]:
            tokens = drawn(2)
            return tokens[:, 0], tokens[:, 1:]

        def best() -> tuple[jax.Array, jax.Array]:
            tokens = drawn(config.candidates)
            many = jnp.repeat(prompt, config.candidates, axis=0)
            flat = tokens.reshape(-1, columns)
            found = reward.rewards(params["reward"], params["sft"], network, many, flat)
            chosen = sequences.best(tokens, found.reshape(tokens.shape[:2]))
            return chosen, jnp.full_like(tokens[:, :1], sequences.PAD)

        action, other = jax.lax.cond(evaluation, best, pair)
        scores = jnp.zeros(other.shape[:2])  # the actor replaces them
        return action, {"others": Others(other, scores)}

    return act


def agent(config: Config, spec: Spec) -> Agent:
    """Builds a reward model for a task whose actions are tokens."""
    network = assembly.for_task(config.network, spec)
    return assembly.assemble(
        config,
        learned="reward",
        networks=dict.fromkeys(("reward", "sft"), network),
        loss=loss_of(config, network, spec),
        act=acting(config, network, spec),
    )
