"""Inverse RL of language: maximum likelihood with a temporal-difference term.

Wulfmeier et al., "Imitating Language via Scalable Inverse Reinforcement Learning",
NeurIPS 2024, https://arxiv.org/abs/2409.01369, offline IQLearn.

| symbol | here |
| --- | --- |
| s_t, a_t | the prompt with the tokens before, and the reference's next token |
| Q(s_t, .) | logits of the network `policy` |
| V(s_t) | ln sum_a exp Q(s_t, a); 0 where the completion has ended |
| pi | softmax(Q), so that V(s_t) + ln pi(a_t given s_t) = Q(s_t, a_t) |
| lambda, gamma | `td_weight`, `discount` |

Q(s_t, a_t) - gamma V(s_{t+1}) is the reward that explains the references; its square
is the temporal-difference term. With lambda = 0 the loss is that of `sft`, in which
adding a number to all logits of a state changes nothing.

An entropy bonus is the paper's other baseline (`entropy_weight`, with lambda = 0).
`measure` gives the log-probability and the reward of whole references, which show
whether the policy over-fits.

Deviations:
- We have not seen the paper's lambda, gamma and learning rates; the defaults are ours.
- The paper's online variant, which mixes in completions of the policy, is left out.
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
from agents.parts.contract import Agent, Metrics, Params, Spec
from agents.parts.language import assembly, sampling, sequences, transformer
from agents.parts.language.assembly import Average


@dataclass(frozen=True)
class Config:
    """Hyper-parameters; the defaults suit small networks.

    Attributes:
        td_weight: lambda, of the squared reward.
        discount: gamma, of the next state's value.
        entropy_weight: of the policy's entropy, which the loss rewards.
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
    entropy_weight: float = 0.0
    average: Average = "token_mean"
    evaluation_temperature: float = 0.0
    network: transformer.Config = transformer.Config()
    optimizer: sgd.Optimizer = sgd.Optimizer(1e-3, 1e-8)
    batch_size: int = 32
    parts: int = 0

    def __post_init__(self) -> None:
        checks.choices(self)
        checks.between("discount", self.discount, 0, 1)
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
    """Eq. (14), with the weight of the entropy bonus: the mean over tokens."""

    def loss(params: Params, part: assembly.Part) -> tuple[jax.Array, Metrics]:
        logits = logits_of(params, network, part.prompt, part.completion)
        implied, log_probs = of_tokens(logits, part.completion, config.discount)
        squared, entropy = implied**2, entropies(logits)
        losses = (
            config.td_weight * squared - log_probs - config.entropy_weight * entropy
        )
        return part.average(losses), {
            "log_prob": part.token_mean(log_probs),
            "squared_reward": part.token_mean(squared),
            "entropy": part.token_mean(entropy),
        }

    return assembly.loss_in_parts(
        spec, loss, parts=config.parts, average=config.average
    )


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
    """Builds offline IQLearn for a task whose actions are tokens."""
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
        generated=0.0,
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
