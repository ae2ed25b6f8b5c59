"""WARP: a policy gradient whose KL anchor is a moving average of the policy.

Ramé et al., "WARP: On the Benefits of Weight Averaged Rewarded Policies", 2024,
https://arxiv.org/abs/2406.16768.

| symbol | here |
| --- | --- |
| x, y | prompt and completion |
| pi_theta | softmax of the logits of the network `policy` |
| theta_ema, mu | the target of `policy`, `anchor_step_size` |
| r, beta | the task's score, `anchor_weight` |
| theta_sft | the network `sft`, with which the first policy began; it never learns |

This module is the first of the paper's three merges, during a run: the policy maximises
E[r(x, y)] - beta KL(pi_theta, pi_theta_ema), and after each update theta_ema moves a
fraction mu towards theta. With mu = 0 the anchor stays the policy with which the run
began, as in most of RL from human feedback. The other two merge finished runs, see
`agents.parts.language.merging`: `munchausen merge` interpolates their weights on the
sphere (SLERP), and then linearly towards those with which they began (LITI).

`measure` gives KL(pi_theta, pi_sft), the price of the reward on the paper's fronts.

Deviations:
- The default rate, batch and mu suit small networks; the paper has 1e-6 with 100 steps
  of warm-up, 128 completions, and 0.01 for a Gemma of 7 billion parameters.
- The paper leaves the baseline of the policy gradient open. Here it is the mean of the
  batch's other rewards, with the KL term as it was when they were generated.
- Completions that an older policy generated are weighted by min(1, pi / pi_old).
"""

from dataclasses import dataclass

import jax

from agents.parts import checks, sgd
from agents.parts.contract import Agent, Metrics, Params, Spec, Transition
from agents.parts.language import (
    assembly,
    distillation,
    policy_gradient,
    sampling,
    transformer,
)


@dataclass(frozen=True)
class Config:
    """Hyper-parameters; defaults: the paper's, and what suits small networks.

    Attributes:
        anchor_weight: beta, of the KL divergence from the policy to its anchor.
        anchor_step_size: mu, the fraction by which the anchor moves towards the policy
            after an update; 0: the anchor stays the first policy.
        temperature: of sampling in training. Other temperatures than 1 bias the
            gradient; the paper has 0.9.
        evaluation_temperature: of sampling in evaluation; 0: the most likely token.
        network: shape of the decoder, also of `sft`.
        optimizer: Adam.
        batch_size: completions per update, at least 2.
        parts: the gradient is the sum of those of so many parts of the batch, which
            need less memory; 0: 4 on a CPU, where they are also faster, else 1.
    """

    anchor_weight: float = 0.1
    anchor_step_size: float = 0.02
    temperature: float = 0.9
    evaluation_temperature: float = 0.0
    network: transformer.Config = transformer.Config()
    optimizer: sgd.Optimizer = sgd.Optimizer(3e-4, 1e-8)
    batch_size: int = 32
    parts: int = 0

    def __post_init__(self) -> None:
        checks.choices(self)
        checks.between("anchor_step_size", self.anchor_step_size, 0, 1)
        for name in ("anchor_weight", "evaluation_temperature"):
            checks.at_least(name, getattr(self, name), 0)
        checks.above("temperature", self.temperature, 0)
        checks.at_least("batch_size", self.batch_size, 2)  # for the baseline
        checks.parts(self.parts, self.batch_size)


def loss_of(config: Config, network: transformer.Config, spec: Spec) -> sgd.Loss:
    """The score-function loss of r_beta = r - beta log(pi_theta / pi_theta_ema)."""

    def part_loss(params: Params, part: assembly.Part) -> tuple[jax.Array, Metrics]:
        log_probs = sampling.score(
            params["policy"], network, part.prompt, part.completion
        )
        losses, weights, log_ratio = policy_gradient.anchored_losses(
            log_probs, part.batch.extras, config.anchor_weight
        )
        return part.row_mean(losses), {
            "score": part.row_mean(part.batch.reward),
            "anchor_kl": part.row_mean(log_ratio),
            "ratio_mean": part.row_mean(weights),
        }

    in_parts = assembly.loss_in_parts(spec, part_loss, parts=config.parts)

    def policy_loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        prompt, _ = assembly.split(batch.observation, spec)
        anchor = assembly.log_prob(
            target_params["policy"], network, prompt, batch.action, config.parts
        )
        extras = policy_gradient.anchored(
            batch.reward, config.anchor_weight, anchor, batch.extras
        )
        batch = batch._replace(extras=extras)
        return in_parts(params, target_params, batch, key)

    return policy_loss


def agent(config: Config, spec: Spec) -> Agent:
    """Builds WARP's policy gradient for a task whose actions are tokens."""
    network = assembly.for_task(config.network, spec)
    step_size = config.anchor_step_size
    return assembly.assemble(
        config,
        networks={"policy": network, "sft": network},
        loss=loss_of(config, network, spec),
        act=assembly.acting(
            network,
            spec,
            generated=1.0,
            temperature=config.temperature,
            evaluation_temperature=config.evaluation_temperature,
        ),
        measure=distillation.distance_from("sft", network, spec),
        target_update=sgd.polyak(step_size) if step_size else sgd.fixed,
    )
