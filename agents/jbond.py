"""J-BOND: towards the policy that is the best of N samples, without drawing N.

Sessa et al., "BOND: Aligning LLMs with Best-of-N Distillation", ICLR 2025,
https://arxiv.org/abs/2407.14622, Algorithm 2.

| symbol | here |
| --- | --- |
| x, y | prompt, and one sample of the policy |
| y'_1, y'_2 | two samples of the anchor for the same prompt |
| pi | softmax of the logits of the network `policy` |
| pi_anchor, eta | the network `anchor`, `anchor_step_size` |
| beta, gamma | `backward_weight`, `regularization` |
| r | the task's score |

The policy that takes the better of two samples of the anchor is approached in Jeffreys
divergence. The forward KL has weight 1 - beta and is maximum likelihood of the better
sample. The backward KL has weight beta and is a policy gradient of
r_J(y) - log(pi(y) / pi_anchor(y)), where r_J is -log 16 if y is worse than both samples
of the anchor, and 0 otherwise (Eq. 17). Gamma weighs one more KL(pi, pi_anchor). After
each update the anchor moves a fraction eta towards the policy, so the target moves
ahead as well: the best of 2, of 4, of 8, ... Samples with equal scores give no signal,
so scores should be nearly continuous.

The network `sft` is the policy from which `measure` gives the distance; it never
learns. The anchor begins as it is given, as a rule equal to `sft`.

Deviations:
- The default rate and batch suit small networks; the paper has 3e-6 with 100 steps of
  warm-up and 128 prompts for Gemma 2B and 7B.
- The printed Algorithm 2 has a minus before the gradient of the regularisation, against
  its Eq. (19); here it descends.
- The baseline of the policy gradient, as in the paper the mean of the batch's other
  rewards, includes the regularisation.
- Completions that an older policy generated are weighted by min(1, pi / pi_old).
"""

import math
from dataclasses import dataclass
from typing import Any

import chex
import jax
import jax.numpy as jnp
import optax

from agents.parts import checks, sgd
from agents.parts.contract import (
    Act,
    Agent,
    Metrics,
    Others,
    Params,
    Spec,
    TrainingState,
    Transition,
)
from agents.parts.language import (
    assembly,
    distillation,
    policy_gradient,
    sampling,
    sequences,
    transformer,
)

SAMPLES = 2  # of the anchor for each prompt


@dataclass(frozen=True)
class Config:
    """Hyper-parameters; defaults: the paper's, and what suits small networks.

    Attributes:
        backward_weight: beta, of the backward KL; the forward KL has the rest.
        anchor_step_size: eta, the fraction by which the anchor moves towards the policy
            after an update; the paper has 0.02 for Gemma 7B.
        regularization: gamma, of the KL divergence to the anchor; the paper has 0 to 2.
        evaluation_temperature: of sampling in evaluation; 0: the most likely token.
        network: shape of the decoder, also of `anchor` and `sft`.
        optimizer: Adam.
        batch_size: prompts per update, at least 2.
        parts: the gradient is the sum of those of so many parts of the batch, which
            need less memory; 0: 4 on a CPU, where they are also faster, else 1.
    """

    backward_weight: float = 0.5
    anchor_step_size: float = 0.02
    regularization: float = 0.0
    evaluation_temperature: float = 0.0
    network: transformer.Config = transformer.Config()
    optimizer: sgd.Optimizer = sgd.Optimizer(3e-4, 1e-8)
    batch_size: int = 32
    parts: int = 0

    def __post_init__(self) -> None:
        checks.choices(self)
        for name in ("backward_weight", "anchor_step_size"):
            checks.between(name, getattr(self, name), 0, 1)
        for name in ("regularization", "evaluation_temperature", "parts"):
            checks.at_least(name, getattr(self, name), 0)
        checks.at_least("batch_size", self.batch_size, 2)  # for the baseline


def rewards(own: jax.Array, others: jax.Array) -> jax.Array:
    """r_J: -log 16 where the own score is below both of the anchor's, else 0.

    Args:
        own: `[B]` scores of the policy's samples.
        others: `[B, 2]` scores of the anchor's samples.

    Returns:
        `[B]`.

    Source: Eq. (17); Appendix A.4 has <= instead of <.
    """
    chex.assert_shape(others, (*own.shape, SAMPLES))
    return jnp.where(own < jnp.min(others, axis=1), -math.log(16), 0.0)


def best(others: Others) -> jax.Array:
    """The anchor's better sample for each prompt: `[B, 2, T] -> [B, T]`."""
    chex.assert_rank([others.actions, others.rewards], [3, 2])
    rank = jnp.argmax(others.rewards, axis=1)
    return jnp.take_along_axis(others.actions, rank[:, None, None], axis=1)[:, 0]


def loss_of(config: Config, network: transformer.Config, spec: Spec) -> sgd.Loss:
    """(1 - beta) times the forward part, beta times the backward one, regularised."""
    beta = config.backward_weight
    kl_weight = beta + config.regularization

    def part_loss(params: Params, part: assembly.Part) -> tuple[jax.Array, Metrics]:
        def score(completion: jax.Array) -> jax.Array:
            policy = params["policy"]
            return sampling.score(policy, network, part.prompt, completion)

        rows: policy_gradient.Anchored = part.batch.extras
        forward = -jnp.sum(score(best(rows.extras["others"])), axis=1)
        backward, weights, log_ratio = policy_gradient.anchored_losses(
            score(part.completion), rows, kl_weight
        )
        return part.row_mean((1 - beta) * forward + backward), {
            "score": part.row_mean(part.batch.reward),
            "anchor_score": part.row_mean(
                jnp.mean(rows.extras["others"].rewards, axis=1)
            ),
            "anchor_kl": part.row_mean(log_ratio),
            "best_log_prob": -part.row_mean(forward),
            "ratio_mean": part.row_mean(weights),
        }

    in_parts = assembly.loss_in_parts(spec, part_loss, parts=config.parts)

    def policy_loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        prompt, _ = assembly.split(batch.observation, spec)
        anchor = assembly.log_prob(
            params["anchor"], network, prompt, batch.action, config.parts
        )
        reward = beta * rewards(batch.reward, batch.extras["others"].rewards)
        extras = policy_gradient.anchored(reward, kl_weight, anchor, batch.extras)
        return in_parts(params, target_params, batch._replace(extras=extras), key)

    return policy_loss


def acting(config: Config, network: transformer.Config, spec: Spec) -> Act:
    """The policy's completions; in training two of the anchor's besides each."""
    [columns] = spec.action.shape
    policy = assembly.acting(
        network,
        spec,
        generated=1.0,
        temperature=1.0,
        evaluation_temperature=config.evaluation_temperature,
    )

    def act(
        params: Params,
        key: jax.Array,
        observation: Any,
        actor_steps: Any,
        evaluation: Any,
    ) -> tuple[jax.Array, Any]:
        policy_key, anchor_key = jax.random.split(key)
        tokens, extras = policy(
            params, policy_key, observation, actor_steps, evaluation
        )
        prompt, _ = assembly.split(observation, spec)
        shape = (len(prompt), SAMPLES, columns)

        def drawn() -> jax.Array:
            twice = jnp.repeat(prompt, SAMPLES, axis=0)
            return sampling.generate(
                params["anchor"], network, anchor_key, twice, columns
            ).tokens.reshape(shape)

        others = jax.lax.cond(
            evaluation, lambda: jnp.full(shape, sequences.PAD, jnp.int32), drawn
        )
        scores = jnp.zeros(shape[:2])  # the actor replaces them
        return tokens, {**extras, "others": Others(others, scores)}

    return act


def agent(config: Config, spec: Spec) -> Agent:
    """Builds J-BOND for a task whose actions are tokens."""
    network = assembly.for_task(config.network, spec)
    learner = assembly.assemble(
        config,
        networks=dict.fromkeys(("policy", "anchor", "sft"), network),
        loss=loss_of(config, network, spec),
        act=acting(config, network, spec),
        measure=distillation.distance_from("sft", network, spec),
    )

    def update(
        state: TrainingState, batch: Transition
    ) -> tuple[TrainingState, Metrics]:
        after, metrics = learner.update(state, batch)
        # The anchor generates, so it is a network that actors fetch, and no target.
        anchor = optax.incremental_update(
            after.params["policy"], after.params["anchor"], config.anchor_step_size
        )
        return after._replace(params={**after.params, "anchor": anchor}), metrics

    return learner._replace(update=update)
