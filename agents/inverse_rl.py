"""Inverse RL of language: maximum likelihood with a temporal-difference term.

Wulfmeier et al., "Imitating Language via Scalable Inverse Reinforcement Learning",
NeurIPS 2024, https://arxiv.org/abs/2409.01369, offline and online IQLearn.

| symbol | here |
| --- | --- |
| s_t, a_t | the prompt with the tokens before, and the reference's next token |
| Q(s_t, .) | logits of the network `policy` |
| V(s_t) | ln sum_a exp Q(s_t, a); 0 where the completion has ended |
| pi | softmax(Q), so that V(s_t) + ln pi(a_t given s_t) = Q(s_t, a_t) |
| lambda, gamma | `td_weight`, `discount` |
| omega, the mix-in | `policy_share`; 0: offline |

Q(s_t, a_t) - gamma V(s_{t+1}) is the reward that explains the references; its square
is the temporal-difference term. With lambda = 0 the loss is that of `sft`, in which
adding a number to all logits of a state changes nothing.

Online, the actor generates a completion of each prompt with pi. With rho_E the tokens
of the references, rho those of references and generated completions in the shares
1 - omega and omega, and r = Q(s_t, a_t) - gamma V(s_{t+1}), IQ-Learn (Garg et al.,
NeurIPS 2021, https://arxiv.org/abs/2106.12142) minimises

    E_rho[V(s_t) - gamma V(s_{t+1})] - E_{rho_E}[r] + lambda E_rho[r^2],

which is Eq. (14) for omega = 0. If gamma is 1, V(s_t) - V(s_{t+1}) adds up to V(s_0)
over any completion, so that omega changes the squared rewards only.

An entropy bonus is the paper's other baseline (`entropy_weight`, with lambda = 0).
`measure` gives the log-probability and the reward of whole references, which show
whether the policy over-fits.

Deviations:
- We have not seen the paper's lambda, gamma and learning rates; the defaults are ours.
  Nor have we seen its equation of the online loss: this one is IQ-Learn's.
- omega weighs the two means, and each prompt of the batch has both completions. In the
  paper, as second-hand sources have it, a tenth of the batch is the policy's.
- A generated token has the weight of its prompt's reference tokens, whatever its
  completion's length: otherwise V(s_0) would not cancel.
- A completion also ends at the task's last column, where no EOS follows.
- The mean is over all tokens of the batch.
"""

import functools
from dataclasses import dataclass
from typing import Any

import chex
import jax
import jax.numpy as jnp
import optax

from agents.parts import checks, sgd
from agents.parts.contract import Agent, Metrics, Params, Spec, Transition
from agents.parts.language import assembly, sampling, sequences, transformer
from agents.parts.language.assembly import Average


@dataclass(frozen=True)
class Config:
    """Hyper-parameters; the defaults suit small networks.

    Attributes:
        td_weight: lambda, of the squared reward.
        discount: gamma, of the next state's value.
        policy_share: omega, the weight of completions that the policy generates; 0:
            offline, with references only. Above 0, the actors sample at temperature 1.
        entropy_weight: of the policy's entropy, which the loss rewards, on references.
        average: mean over all tokens of the batch, or over sequences of their means.
        evaluation_temperature: of sampling in evaluation; 0: the most likely token.
        network: shape of the decoder.
        optimizer: Adam.
        batch_size: completions per update.
        parts: the gradient is the sum of those of so many parts of the batch, which
            need less memory; 0: 4 on a CPU, where they are also faster, else 1.
    """

    td_weight: float = 0.1
    discount: float = 1.0
    policy_share: float = 0.0
    entropy_weight: float = 0.0
    average: Average = "token_mean"
    evaluation_temperature: float = 0.0
    network: transformer.Config = transformer.Config()
    optimizer: sgd.Optimizer = sgd.Optimizer(1e-3, 1e-8)
    batch_size: int = 32
    parts: int = 0

    def __post_init__(self) -> None:
        checks.choices(self)
        for name in ("discount", "policy_share"):
            checks.between(name, getattr(self, name), 0, 1)
        for name in ("td_weight", "entropy_weight", "evaluation_temperature"):
            checks.at_least(name, getattr(self, name), 0)
        checks.at_least("batch_size", self.batch_size, 1)
        checks.parts(self.parts, self.batch_size)


def rewards(logits: jax.Array, completion: jax.Array, discount: float) -> jax.Array:
    """The reward of each token of a completion that its action values imply.

    Args:
        logits: `[T, V]`, Q of each token given those before.
        completion: `[T]` int32.
        discount: gamma.

    Returns:
        `[T]` Q(s_t, a_t) - gamma V(s_{t+1}); those after EOS mean nothing.

    Source: the bracket of Eq. (14). Gradients flow through V(s_{t+1}).
    """
    chex.assert_rank([logits, completion], [2, 1])
    q = jnp.take_along_axis(logits, completion[:, None], axis=1)[:, 0]
    v = jax.nn.logsumexp(logits, axis=1)
    v_t = jnp.where(completion == sequences.EOS, 0, jnp.append(v[1:], 0.0))
    return q - discount * v_t


def entropies(logits: jax.Array) -> jax.Array:
    """Entropy of the softmax of logits, in nats: `[..., V] -> [...]`."""
    log_policy = jax.nn.log_softmax(logits)
    return -jnp.sum(jnp.exp(log_policy) * log_policy, axis=-1)


def loss_of(config: Config, network: transformer.Config, spec: Spec) -> sgd.Loss:
    """Eq. (14), or IQ-Learn's loss online, with the entropy bonus: mean over tokens."""

    def loss(params: Params, part: assembly.Part) -> tuple[jax.Array, Metrics]:
        logits = logits_of(params, network, part.prompt, part.completion)
        implied, log_probs = of_tokens(logits, part.completion, config.discount)
        squared, entropy = implied**2, entropies(logits)
        losses = (
            config.td_weight * squared - log_probs - config.entropy_weight * entropy
        )
        value = part.average(losses)
        if config.policy_share:
            own = generated_mean(config, network, params, part)
            of_references = state_terms(implied, log_probs, config.td_weight)
            value += config.policy_share * (own - part.average(of_references))
        return value, {
            "log_prob": part.token_mean(log_probs),
            "squared_reward": part.token_mean(squared),
            "entropy": part.token_mean(entropy),
        }

    in_parts = assembly.loss_in_parts(
        spec, loss, parts=config.parts, average=config.average
    )

    def online_loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        _, reference = assembly.split(batch.observation, spec)
        both = batch._replace(action=reference, extras={"generated": batch.action})
        value, metrics = in_parts(params, target_params, both, key)
        return value, metrics | assembly.completion_metrics(batch.action)

    return online_loss if config.policy_share else in_parts


def state_terms(
    implied: jax.Array, log_probs: jax.Array, td_weight: float
) -> jax.Array:
    """V(s_t) - gamma V(s_{t+1}), which is r - ln pi, plus lambda r^2."""
    return implied - log_probs + td_weight * implied**2


def generated_mean(
    config: Config, network: transformer.Config, params: Params, part: assembly.Part
) -> jax.Array:
    """The part's share of the mean of `state_terms` on the policy's completions.

    Args:
        config: the paper's.
        network: of the policy.
        params: of the policy.
        part: of the references `[b, T]`; its extras have the completions `generated`.
    """
    completion = part.batch.extras["generated"]
    logits = logits_of(params, network, part.prompt, completion)
    implied, log_probs = of_tokens(logits, completion, config.discount)
    values = state_terms(implied, log_probs, config.td_weight)
    # All tokens of a reference have one weight; those generated for its prompt have it.
    weights = sequences.completion_mask(completion) * part.weights[:, :1]
    return sequences.weighted(values, weights)


def logits_of(
    params: Params, network: transformer.Config, prompt: jax.Array, tokens: jax.Array
) -> jax.Array:
    """Action values `[B, T, V]` before each token of completions `[B, T]`."""
    return sampling.completion_logits(params["policy"], network, prompt, tokens)


def of_tokens(
    logits: jax.Array, completion: jax.Array, discount: float
) -> tuple[jax.Array, jax.Array]:
    """Rewards and log-probabilities `[B, T]` of the tokens of completions `[B, T]`."""
    implied = jax.vmap(functools.partial(rewards, discount=discount))
    unlikely = optax.softmax_cross_entropy_with_integer_labels(logits, completion)
    return implied(logits, completion), -unlikely


def agent(config: Config, spec: Spec) -> Agent:
    """Builds IQLearn for a task whose actions are tokens."""
    assembly.check_references(spec)
    network = assembly.for_task(config.network, spec)

    def measure(params: Params, key: jax.Array, observation: Any) -> Metrics:
        del key
        prompt, reference = assembly.split(observation, spec)
        logits = logits_of(params, network, prompt, reference)
        mask = sequences.completion_mask(reference)
        implied, log_probs = of_tokens(logits, reference, config.discount)
        sums = {"reference_log_prob": log_probs, "reference_reward": implied}
        return {
            name: jnp.mean(jnp.sum(values, axis=1, where=mask))
            for name, values in sums.items()
        }

    act = assembly.acting(
        network,
        spec,
        generated=float(config.policy_share > 0),
        temperature=1.0,
        evaluation_temperature=config.evaluation_temperature,
    )
    return assembly.assemble(
        config,
        networks={"policy": network},
        loss=loss_of(config, network, spec),
        act=act,
        measure=measure,
    )
