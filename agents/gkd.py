"""GKD: distillation of a teacher on completions that the student generates itself.

Agarwal et al., "On-Policy Distillation of Language Models: Learning from Self-Generated
Mistakes", ICLR 2024, https://arxiv.org/abs/2306.13649.

| symbol | here |
| --- | --- |
| x, y, L_y | prompt and completion, whose length counts EOS |
| p_T, p_S | softmax of the logits of the networks `teacher` and `policy` |
| D(p_T, p_S)(y given x) | `divergence`, averaged over tokens (Eq. 2) |
| beta | `beta` of the generalised Jensen-Shannon divergence (Eq. 1) |
| lambda | `on_policy` |
| r, alpha | the task's score, `divergence_weight` (Eq. 5) |

A call of `act` draws one number (Algorithm 1): with probability lambda it samples from
the student at temperature 1, otherwise it takes completions from `source`. No gradient
flows through sampling, so completions may be older than the student. The teacher never
learns; its weights come from elsewhere, as the student's first ones do.

Settings that are papers by themselves are registered by name: supervised distillation
(lambda = 0), and sequence-level distillation, which is maximum likelihood on the
teacher's completions.

Deviations:
- Adam at a constant rate; the paper warms up and decays.
- Eq. (5) leaves open how the reward's gradient is estimated. Here it is a score
  function with the mean of the batch's other rewards as baseline, weighted by
  min(1, p_S(y) / p_S'(y)), where S' is the student that generated y.
- Without references, prompts are all that a task needs; lambda must then be 1, or the
  other completions the teacher's.
"""

from dataclasses import dataclass
from typing import Literal

import jax

from agents.parts import checks, sgd
from agents.parts.contract import Agent, Metrics, Params, Spec, Transition
from agents.parts.language import (
    assembly,
    distillation,
    divergences,
    policy_gradient,
    sampling,
    transformer,
)
from agents.parts.language.assembly import Average


@dataclass(frozen=True)
class Config:
    """Hyper-parameters; defaults: on-policy distillation with the paper's rate.

    Attributes:
        divergence: of teacher and student, see `divergences`; likelihood: none, but
            -log p_S of the completion's tokens.
        beta: the teacher's weight in jsd, above 0 and below 1.
        on_policy: lambda, the probability that a call of `act` generates.
        source: of the other completions: the task's references, new ones of the
            teacher, or fixed ones of the teacher, always the same for a prompt.
        average: over sequences of their token means (Eq. 2), or over all tokens.
        divergence_weight: alpha; below 1 the rest weighs the task's score.
        teacher_temperature: divides the teacher's logits, in the loss and in sampling;
            the paper has 0.1 for summaries and arithmetic, 1 for translation.
        evaluation_temperature: of the student in evaluation; 0: the most likely token.
        chunk: positions whose logits are computed at a time; 0: all. Chunks save
            memory where the vocabulary is large, and cost time.
        network: shape of the student.
        teacher: shape of the teacher.
        optimizer: Adam.
        batch_size: completions per update.
        parts: the gradient is the sum of those of so many parts of the batch, which
            need less memory; 0: 4 on a CPU, where they are also faster, else 1.
    """

    divergence: Literal[divergences.Name, "likelihood"] = "forward_kl"
    beta: float = 0.5
    on_policy: float = 1.0
    source: Literal["reference", "teacher", "fixed_teacher"] = "reference"
    average: Average = "sequence_mean"
    divergence_weight: float = 1.0
    teacher_temperature: float = 1.0
    evaluation_temperature: float = 0.0
    chunk: int = 0
    network: transformer.Config = transformer.Config()
    teacher: transformer.Config = transformer.Config(width=128, layers=4)
    optimizer: sgd.Optimizer = sgd.Optimizer(3e-4, 1e-8)
    batch_size: int = 32
    parts: int = 0

    def __post_init__(self) -> None:
        checks.choices(self)
        divergences.check_beta(self.beta)
        checks.between("on_policy", self.on_policy, 0, 1)
        checks.between("divergence_weight", self.divergence_weight, 0, 1)
        checks.above("teacher_temperature", self.teacher_temperature, 0)
        checks.at_least("evaluation_temperature", self.evaluation_temperature, 0)
        checks.at_least("chunk", self.chunk, 0)
        checks.at_least("batch_size", self.batch_size, 1)
        checks.parts(self.parts, self.batch_size)
        if self.divergence_weight < 1:  # Eq. (5) is an expectation over the student
            checks.at_least("on_policy", self.on_policy, 1)
            checks.at_least("batch_size", self.batch_size, 2)
        if self.on_policy == 1 and self.source != "reference":
            raise checks.InvalidSetting(
                "source", self.source, "reference if on_policy is 1, which uses none"
            )
        if self.on_policy == 1 and self.divergence == "likelihood":
            # The mean gradient of -log p_S over the student's own samples is 0.
            wanted = (
                "below 1 if divergence is likelihood, which own samples cannot raise"
            )
            raise checks.InvalidSetting("on_policy", self.on_policy, wanted)


SUPERVISED_KD = {"on_policy": 0.0}
SEQ_KD = {"on_policy": 0.0, "source": "teacher", "divergence": "likelihood"}


def loss_of(config: Config, pair: distillation.Pair, spec: Spec) -> sgd.Loss:
    """The student's loss: Eq. (2), or Eq. (5) if the task's score has a weight."""

    def part_loss(params: Params, part: assembly.Part) -> tuple[jax.Array, Metrics]:
        prompt, completion = part.prompt, part.completion

        def own_log_probs() -> jax.Array:
            return sampling.score(
                params["policy"], pair.student, prompt, completion, pair.chunk
            )

        if config.divergence == "likelihood":
            losses = -own_log_probs()
        else:
            losses = pair.distances(params, config.divergence, prompt, completion)
        loss = part.average(losses)
        metrics = {"divergence": loss}
        if config.divergence_weight < 1:
            log_probs = own_log_probs()
            gains, weights = policy_gradient.losses(
                log_probs, part.batch.extras["log_probs"], part.batch.reward
            )
            loss *= config.divergence_weight
            loss += (1 - config.divergence_weight) * part.row_mean(gains)
            metrics["ratio_mean"] = part.row_mean(weights)
        return loss, metrics

    in_parts = assembly.loss_in_parts(
        spec, part_loss, parts=config.parts, average=config.average
    )

    def policy_loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        if config.divergence_weight < 1:  # the baseline is of the whole batch
            batch = batch._replace(reward=policy_gradient.advantages(batch.reward))
        return in_parts(params, target_params, batch, key)

    return policy_loss


def agent(config: Config, spec: Spec) -> Agent:
    """Builds GKD for a task whose actions are tokens."""
    pair = distillation.Pair(
        student=assembly.for_task(config.network, spec),
        teacher=assembly.for_task(config.teacher, spec),
        temperature=config.teacher_temperature,
        beta=config.beta,
        chunk=config.chunk,
    )
    sources = {
        "reference": assembly.references,
        "teacher": pair.teacher_completions,
        "fixed_teacher": pair.fixed_completions,
    }
    act = assembly.acting(
        pair.student,
        spec,
        generated=config.on_policy,
        temperature=1.0,
        evaluation_temperature=config.evaluation_temperature,
        source=sources[config.source],
    )
    return assembly.assemble(
        config,
        networks={"policy": pair.student, "teacher": pair.teacher},
        loss=loss_of(config, pair, spec),
        act=act,
        measure=distillation.measure_of(pair, spec),
    )
