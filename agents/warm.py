"""WARM: a policy gradient of a learned reward, whose weights are an average.

Ramé et al., "WARM: On the Benefits of Weight Averaged Reward Models", ICML 2024,
https://arxiv.org/abs/2401.12187.

| symbol | here |
| --- | --- |
| x, y | prompt and completion |
| pi_theta | softmax of the logits of the network `policy` |
| phi_WARM | the network `reward`: the mean of the weights of M reward models |
| r(x, y; phi) | `reward.rewards` |
| alpha, pi_sft | `anchor_weight`, and the network `sft` |

The policy maximises E[r(x, y; phi)] - alpha KL(pi_theta, pi_sft). The learner computes
r itself; the task's score is a golden reward that the policy never sees, logged as
`score`. Where r rises and the score falls, the policy exploits errors of r (reward
hacking). The paper's claim: the average of several reward models, which share their
first weights, is exploited later and less than one of them.

`reward_model` trains one of them; `munchausen merge --method lerp` averages finished
runs, and `--initial.reward` takes the result or a single run. `sft` must be the policy
with which they began. The networks `reward` and `sft` do not learn. `measure` gives
KL(pi_theta, pi_sft).

Deviations:
- The baseline is the mean of the batch's other rewards, with their KL terms, where the
  paper learns a value function.
- Samples are drawn at temperature 1, by which the gradient has no bias; the paper has
  0.9. The default rate and batch suit small networks.
- Completions that an older policy generated are weighted by min(1, pi / pi_old).
"""

from dataclasses import dataclass

import jax

from agents.parts import checks, sgd
from agents.parts.contract import Agent, Metrics, Params, Spec, Transition
from agents.parts.language import (
    accumulation,
    assembly,
    distillation,
    policy_gradient,
    reward,
    sampling,
    transformer,
)


@dataclass(frozen=True)
class Config:
    """Hyper-parameters; defaults: the paper's, and what suits small networks.

    Attributes:
        anchor_weight: alpha, of the KL divergence from the policy to `sft`; the paper
            has 0.003, and 0.01 with swapped preferences.
        evaluation_temperature: of sampling in evaluation; 0: the most likely token.
        network: shape of the decoder, also of `reward` and `sft`.
        optimizer: Adam.
        batch_size: completions per update, at least 2.
        parts: the gradient is the sum of those of so many parts of the batch, which
            need less memory; 0: 4 on a CPU, where they are also faster, else 1.
    """

    anchor_weight: float = 0.003
    evaluation_temperature: float = 0.0
    network: transformer.Config = transformer.Config()
    optimizer: sgd.Optimizer = sgd.Optimizer(3e-4, 1e-8)
    batch_size: int = 32
    parts: int = 0

    def __post_init__(self) -> None:
        checks.choices(self)
        for name in ("anchor_weight", "evaluation_temperature"):
            checks.at_least(name, getattr(self, name), 0)
        checks.at_least("batch_size", self.batch_size, 2)  # for the baseline
        checks.parts(self.parts, self.batch_size)


def loss_of(config: Config, network: transformer.Config, spec: Spec) -> sgd.Loss:
    """The score-function loss of r(phi) - alpha log(pi_theta / pi_sft)."""

    def part_loss(params: Params, part: assembly.Part) -> tuple[jax.Array, Metrics]:
        log_probs = sampling.score(
            params["policy"], network, part.prompt, part.completion
        )
        rows: policy_gradient.Anchored = part.batch.extras
        losses, weights, log_ratio = policy_gradient.anchored_losses(
            log_probs, rows, config.anchor_weight
        )
        return part.row_mean(losses), {
            "score": part.row_mean(part.batch.reward),
            "reward_mean": part.row_mean(rows.reward),
            "anchor_kl": part.row_mean(log_ratio),
            "ratio_mean": part.row_mean(weights),
        }

    in_parts = assembly.loss_in_parts(spec, part_loss, parts=config.parts)

    def policy_loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        prompt, _ = assembly.split(batch.observation, spec)
        anchor = assembly.log_prob(
            params["sft"], network, prompt, batch.action, config.parts
        )
        learned = accumulation.mapped(
            lambda rows: reward.rewards(
                params["reward"], params["sft"], network, *rows
            ),
            (prompt, batch.action),
            config.parts,
        )
        extras = policy_gradient.anchored(
            learned, config.anchor_weight, anchor, batch.extras
        )
        batch = batch._replace(extras=extras)
        return in_parts(params, target_params, batch, key)

    return policy_loss


def agent(config: Config, spec: Spec) -> Agent:
    """Builds WARM's policy gradient for a task whose actions are tokens."""
    network = assembly.for_task(config.network, spec)
    return assembly.assemble(
        config,
        networks=dict.fromkeys(("policy", "reward", "sft"), network),
        loss=loss_of(config, network, spec),
        act=assembly.acting(
            network,
            spec,
            generated=1.0,
            temperature=1.0,
            evaluation_temperature=config.evaluation_temperature,
        ),
        measure=distillation.distance_from("sft", network, spec),
    )
