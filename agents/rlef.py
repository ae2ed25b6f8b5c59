"""RLEF: an actor and a critic of completions, whose reward is entailment.

Roit et al., "Factually Consistent Summarization via Reinforcement Learning with Textual
Entailment Feedback", ACL 2023, https://arxiv.org/abs/2306.00186.

| symbol | here |
| --- | --- |
| x, y | prompt and completion |
| pi, pi_SFT | softmax of the logits of the networks `policy` and `sft` |
| V(x, y_<t) | the critic's value before token t, from the network `value` |
| r, alpha | the task's score, `kl_weight` |

Each token costs alpha log(pi(y_t) / pi_SFT(y_t)), and the last one earns the score. The
critic regresses the sum of the rewards that follow; the policy ascends the difference
between that sum and the critic's value. `measure` gives KL(pi, pi_SFT).

The critic is a decoder of the policy's shape and, as in the paper, begins with the
weights of supervised fine-tuning. Its value is its logit of PAD minus the logit that
`sft` gives PAD. No reference contains PAD, so the critic needs no further parameters,
and its values begin at 0.

Deviations:
- The reward is the task's score: on `facts` the exact share of claims that the prompt
  entails, where the paper has the log-probability of entailment under a classifier.
- The paper's alpha, rates and batch sizes were not at hand; the defaults are ours, with
  a discount of 1 and without bootstrapping, since a completion is short.
- Completions that an older policy generated are weighted by min(1, pi / pi_old); the
  log-ratio in their costs is that of the older policy.
"""

from dataclasses import dataclass

import chex
import jax
import jax.numpy as jnp

from agents.parts import checks, sgd
from agents.parts.contract import Agent, Metrics, NetworkParams, Params, Spec
from agents.parts.language import (
    assembly,
    distillation,
    policy_gradient,
    sampling,
    sequences,
    transformer,
)


@dataclass(frozen=True)
class Config:
    """Hyper-parameters; the defaults suit small networks.

    Attributes:
        kl_weight: alpha, of the log-ratio to the supervised policy.
        evaluation_temperature: of sampling in evaluation; 0: the most likely token.
        network: shape of the decoder, also of `value` and `sft`.
        optimizer: Adam, of policy and critic.
        batch_size: completions per update.
        parts: the gradient is the sum of those of so many parts of the batch, which
            need less memory; 0: 4 on a CPU, where they are also faster, else 1.
    """

    kl_weight: float = 0.1
    evaluation_temperature: float = 0.0
    network: transformer.Config = transformer.Config()
    optimizer: sgd.Optimizer = sgd.Optimizer(3e-4, 1e-8)
    batch_size: int = 32
    parts: int = 0

    def __post_init__(self) -> None:
        checks.choices(self)
        for name in ("kl_weight", "evaluation_temperature"):
            checks.at_least(name, getattr(self, name), 0)
        checks.at_least("batch_size", self.batch_size, 1)
        checks.parts(self.parts, self.batch_size)


def returns(
    score: jax.Array, log_ratio: jax.Array, completion: jax.Array, kl_weight: float
) -> jax.Array:
    """Sums of the rewards from each token on.

    Args:
        score: `[B]`, earned by the last token.
        log_ratio: `[B, T]`, log(pi / pi_SFT) of each token, 0 after EOS.
        completion: `[B, T]` int32.
        kl_weight: alpha.

    Returns:
        `[B, T]`, 0 after EOS.
    """
    chex.assert_rank([score, log_ratio], [1, 2])
    chex.assert_equal_shape([log_ratio, completion])
    costs = jnp.cumsum(log_ratio[:, ::-1], axis=1)[:, ::-1]
    found = score[:, None] - kl_weight * costs
    return jnp.where(sequences.completion_mask(completion), found, 0)


@dataclass(frozen=True)
class ActorCritic:
    """Both losses of a part of a batch.

    Attributes:
        network: shape of all decoders.
        kl_weight: alpha.
    """

    network: transformer.Config
    kl_weight: float

    def scores(self, params: NetworkParams, part: assembly.Part) -> jax.Array:
        """Log-probabilities `[b, T]` of the completions, 0 after EOS."""
        return sampling.score(params, self.network, part.prompt, part.completion)

    def values(self, params: Params, part: assembly.Part) -> jax.Array:
        """The critic's values `[b, T]` before each token."""

        def pad_logit(network: NetworkParams) -> jax.Array:
            states = sampling.predicting_states(
                network, self.network, part.prompt, part.completion
            )
            return transformer.logits(network, self.network, states)[..., sequences.PAD]

        return pad_logit(params["value"]) - pad_logit(params["sft"])

    def targets(self, params: Params, part: assembly.Part) -> jax.Array:
        """What the critic regresses, `[b, T]`, see `returns`; without gradient."""
        log_ratio = part.batch.extras["log_probs"] - self.scores(params["sft"], part)
        return jax.lax.stop_gradient(
            returns(part.batch.reward, log_ratio, part.completion, self.kl_weight)
        )

    def policy_loss(
        self, params: Params, part: assembly.Part
    ) -> tuple[jax.Array, Metrics]:
        """The score function of each token with its advantage, summed over tokens."""
        log_probs = self.scores(params["policy"], part)
        advantage = self.targets(params, part) - self.values(params, part)
        losses, weights = policy_gradient.token_losses(
            log_probs, part.batch.extras["log_probs"], advantage
        )
        return part.row_mean(losses), {
            "score": part.row_mean(part.batch.reward),
            "ratio_mean": part.row_mean(weights),
        }

    def critic_loss(
        self, params: Params, part: assembly.Part
    ) -> tuple[jax.Array, Metrics]:
        """Half the squared error of the values, averaged over tokens."""
        values = self.values(params, part)
        errors = self.targets(params, part) - values
        return part.token_mean(errors**2 / 2), {"value_mean": part.token_mean(values)}


def agent(config: Config, spec: Spec) -> Agent:
    """Builds RLEF for a task whose actions are tokens."""
    network = assembly.for_task(config.network, spec)
    both = ActorCritic(network, config.kl_weight)
    return assembly.assemble(
        config,
        networks=dict.fromkeys(("policy", "value", "sft"), network),
        loss=assembly.loss_in_parts(spec, both.policy_loss, parts=config.parts),
        critic_loss=assembly.loss_in_parts(
            spec, both.critic_loss, parts=config.parts, network="value"
        ),
        act=assembly.acting(
            network,
            spec,
            generated=1.0,
            temperature=1.0,
            evaluation_temperature=config.evaluation_temperature,
        ),
        measure=distillation.distance_from("sft", network, spec),
    )
