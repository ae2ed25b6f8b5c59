"""BOND and J-BOND: one sample of the policy becomes as good as the best of N samples.

Sessa et al., "BOND: Aligning LLMs with Best-of-N Distillation", ICLR 2025,
https://arxiv.org/abs/2407.14622. Agents: `bond`, and `jbond` of its Algorithm 2, whose
settings are the defaults.

| symbol | here |
| --- | --- |
| x, y | prompt, and one sample of the policy |
| y'_1, y'_2, ... | samples of the anchor for the same prompt |
| N | `best_of` |
| p_<=(y) | share of the anchor's samples that are no better than y, its quantile |
| k | `quantile_samples`, from which p_<= is estimated |
| pi | softmax of the logits of the network `policy` |
| pi_anchor, eta | the network `anchor`, `anchor_step_size` |
| beta, gamma | `backward_weight`, `regularization` |
| r | the task's score |

The policy that takes the best of N samples of the anchor is approached in Jeffreys
divergence. The forward KL has weight 1 - beta and is maximum likelihood of the best
sample. The backward KL has weight beta and is a policy gradient of
(N - 1) log p_<=(y) - log(pi(y) / pi_anchor(y)) (Eq. 8), which is the same for every
increasing function of the score. J-BOND replaces the first term by r_J, which is
-log 16 if y is worse than both of the anchor's samples and 0 otherwise (Eq. 17). Gamma
weighs one more KL(pi, pi_anchor).

At every `anchor_period`-th update the anchor moves a fraction eta towards the policy,
so the target moves ahead as well: the best of N, of N^2, of N^3, ... BOND without
iterations has eta 0. Samples with equal scores give no signal, so scores should be
nearly continuous.

The network `sft` is the policy from which `measure` gives the distance; it never
learns. The anchor begins as it is given, as a rule equal to `sft`.

The metric `forward_kl` is KL(best of N, pi) = E[log pi_anchor(y') - log pi(y')] + log N
- (N - 1) / N over best samples y', exact if samples hardly ever have equal scores. The
backward KL is `anchor_kl` - log N - (N - 1) `log_quantile`, with estimated quantiles.

Deviations:
- The default rate and batch suit small networks; the paper has 3e-6 with 100 steps of
  warm-up and 128 prompts for Gemma 2B and 7B.
- The estimate of p_<= counts y among the samples, (c + 1) / (k + 1), so that its
  logarithm is finite; the paper has c / k and does not say what it does at 0.
- Terms of Theorem 1 for equal scores are left out, as the paper's experiments do.
- The printed Algorithm 2 has a minus before the gradient of the regularisation, against
  its Eq. (19); here it descends.
- The baseline of the policy gradient, as in the paper the mean of the batch's other
  rewards, includes the regularisation.
- Completions that an older policy generated are weighted by min(1, pi / pi_old). The
  anchor's samples have no weight: in a program they may be of an older anchor.
"""

import math
from dataclasses import dataclass

import chex
import jax
import jax.numpy as jnp
import optax

from agents.parts import checks, sgd
from agents.parts.contract import (
    Agent,
    Metrics,
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

# BOND with iterations; the paper has N of 2 and 4 for them, 4 to 16 without.
BOND = {
    "best_of": 4,
    "quantile_samples": 16,
    "anchor_step_size": 1.0,
    "anchor_period": 1_000,
}


@dataclass(frozen=True)
class Config:
    """Hyper-parameters; defaults: the paper's, and what suits small networks.

    Attributes:
        best_of: N, at least 2.
        quantile_samples: k, from which the quantile of the policy's sample is
            estimated, at least N; the best of N is that of the first N. 0: the reward
            is r_J, and N must be 2.
        backward_weight: beta, of the backward KL; the forward KL has the rest.
        anchor_step_size: eta, the fraction by which the anchor moves towards the
            policy; the paper has 0.02 for Gemma 7B. 0: the anchor stays.
        anchor_period: updates between moves of the anchor.
        regularization: gamma, of the KL divergence to the anchor; the paper has 0 to 2.
        evaluation_temperature: of sampling in evaluation; 0: the most likely token.
        network: shape of the decoder, also of `anchor` and `sft`.
        optimizer: Adam.
        batch_size: prompts per update, at least 2.
        parts: the gradient is the sum of those of so many parts of the batch, which
            need less memory; 0: 4 on a CPU, where they are also faster, else 1.
    """

    best_of: int = 2
    quantile_samples: int = 0
    backward_weight: float = 0.5
    anchor_step_size: float = 0.02
    anchor_period: int = 1
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
        for name in ("regularization", "evaluation_temperature"):
            checks.at_least(name, getattr(self, name), 0)
        checks.steps("anchor_period", self.anchor_period, 1)
        for name in ("best_of", "batch_size"):  # the batch for the baseline
            checks.at_least(name, getattr(self, name), 2)
        checks.parts(self.parts, self.batch_size)
        if self.quantile_samples and self.quantile_samples < self.best_of:
            raise checks.InvalidSetting(
                "quantile_samples",
                self.quantile_samples,
                f"0, or at least best_of, {self.best_of}",
            )
        if not self.quantile_samples and self.best_of != 2:
            raise checks.InvalidSetting(
                "best_of",
                self.best_of,
                "2 without quantile_samples: r_J compares with two samples",
            )

    @property
    def kl_weight(self) -> float:
        """The weight of KL(pi, pi_anchor): that of the backward KL, and gamma."""
        return self.backward_weight + self.regularization


def log_quantiles(own: jax.Array, others: jax.Array) -> jax.Array:
    """Estimates log p_<= from samples of the anchor, and the sample y itself.

    Args:
        own: `[B]` scores of the policy's samples.
        others: `[B, k]` scores of the anchor's samples.

    Returns:
        `[B]` in [-log(k + 1), 0].

    Source: the paper's Monte Carlo estimate, which leaves y out.
    """
    chex.assert_rank([own, others], [1, 2])
    no_better = jnp.sum(others <= own[:, None], axis=1)
    return jnp.log((no_better + 1) / (others.shape[1] + 1))


def worse_than_both(own: jax.Array, others: jax.Array) -> jax.Array:
    """r_J: -log 16 where the policy's score is below both of the anchor's, else 0.

    Args:
        own: `[B]` scores of the policy's samples.
        others: `[B, 2]` scores of the anchor's samples.

    Returns:
        `[B]`.

    Source: Eq. (17); Appendix A.4 has <= instead of <.
    """
    chex.assert_shape(others, (*own.shape, 2))
    return jnp.where(own < jnp.min(others, axis=1), -math.log(16), 0.0)


def prepared(
    config: Config,
    network: transformer.Config,
    spec: Spec,
    params: Params,
    batch: Transition,
) -> policy_gradient.Anchored:
    """What the loss needs of the anchor, for a whole batch."""
    prompt, _ = assembly.split(batch.observation, spec)
    others, own, n = batch.extras["others"], batch.reward, config.best_of
    best = sequences.best(others.actions[:, :n], others.rewards[:, :n])

    def anchor_log_prob(completion: jax.Array) -> jax.Array:
        anchor = params["anchor"]
        return assembly.log_prob(anchor, network, prompt, completion, config.parts)

    extras = {
        "log_probs": batch.extras["log_probs"],
        "best": best,
        "best_anchor_log_prob": anchor_log_prob(best),
        "anchor_score": jnp.mean(others.rewards, axis=1),
        "log_quantile": log_quantiles(own, others.rewards),
    }
    reward = (n - 1) * extras["log_quantile"]
    if not config.quantile_samples:
        reward = worse_than_both(own, others.rewards)
    return policy_gradient.anchored(
        config.backward_weight * reward,
        config.kl_weight,
        anchor_log_prob(batch.action),
        extras,
    )


def loss_of(config: Config, network: transformer.Config, spec: Spec) -> sgd.Loss:
    """(1 - beta) times the forward part, beta times the backward one, regularised."""
    n = config.best_of
    divergence = math.log(n) - (n - 1) / n  # KL(best of N, anchor)

    def part_loss(params: Params, part: assembly.Part) -> tuple[jax.Array, Metrics]:
        def score(completion: jax.Array) -> jax.Array:
            policy = params["policy"]
            return sampling.score(policy, network, part.prompt, completion)

        rows: policy_gradient.Anchored = part.batch.extras
        forward = -jnp.sum(score(rows.extras["best"]), axis=1)
        backward, weights, log_ratio = policy_gradient.anchored_losses(
            score(part.completion), rows, config.kl_weight
        )
        forward_kl = rows.extras["best_anchor_log_prob"] + forward + divergence
        loss = (1 - config.backward_weight) * forward + backward
        return part.row_mean(loss), {
            "score": part.row_mean(part.batch.reward),
            "anchor_score": part.row_mean(rows.extras["anchor_score"]),
            "log_quantile": part.row_mean(rows.extras["log_quantile"]),
            "anchor_kl": part.row_mean(log_ratio),
            "forward_kl": part.row_mean(forward_kl),
            "ratio_mean": part.row_mean(weights),
        }

    in_parts = assembly.loss_in_parts(spec, part_loss, parts=config.parts)

    def policy_loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        extras = prepared(config, network, spec, params, batch)
        return in_parts(params, target_params, batch._replace(extras=extras), key)

    return policy_loss


def agent(config: Config, spec: Spec) -> Agent:
    """Builds BOND or J-BOND for a task whose actions are tokens."""
    network = assembly.for_task(config.network, spec)
    learner = assembly.assemble(
        config,
        networks=dict.fromkeys(("policy", "anchor", "sft"), network),
        loss=loss_of(config, network, spec),
        act=assembly.with_others(
            assembly.acting(
                network,
                spec,
                generated=1.0,
                temperature=1.0,
                evaluation_temperature=config.evaluation_temperature,
            ),
            "anchor",
            network,
            spec,
            config.quantile_samples or config.best_of,
        ),
        measure=distillation.distance_from("sft", network, spec),
    )
    move = sgd.every(
        config.anchor_period,
        lambda policy, anchor, steps: optax.incremental_update(
            policy, anchor, config.anchor_step_size
        ),
    )

    def update(
        state: TrainingState, batch: Transition
    ) -> tuple[TrainingState, Metrics]:
        after, metrics = learner.update(state, batch)
        # The anchor generates, so it is a network that actors fetch, and no target.
        anchor = move(after.params["policy"], after.params["anchor"], after.steps)
        return after._replace(params={**after.params, "anchor": anchor}), metrics

    return learner._replace(update=update)
