"""Supervised fine-tuning: a decoder learns to continue prompts as references do.

No paper defines it. Papers that distil or reinforce a language model start from it and
compare with it, such as "On-Policy Distillation of Language Models: Learning from
Self-Generated Mistakes" (GKD), ICLR 2024, https://arxiv.org/abs/2306.13649.

| symbol | here |
| --- | --- |
| x, y | the prompt and the reference of an observation; y is also the action |
| p_S | the softmax of `transformer.logits` with the parameters `policy` |
| -log p_S(y_n given y_<n, x) | `token_losses`, up to EOS, EOS included |

In training the policy's action is the reference, so nothing is generated. In evaluation
it generates, greedily by default.

Deviations:
- The mean is over all tokens of the batch. GKD's Eq. (2) takes the mean over each
  completion first; `sequence_mean` does so.
"""

from dataclasses import dataclass

import chex
import jax
import jax.numpy as jnp
import optax

from agents.parts import checks, sgd
from agents.parts.contract import Agent, Metrics, Params, Spec
from agents.parts.language import assembly, sampling, transformer
from agents.parts.language.assembly import Average


@dataclass(frozen=True)
class Config:
    """Hyper-parameters; the defaults suit small networks.

    Attributes:
        average: mean over all tokens of the batch, or over sequences of their means.
        evaluation_temperature: of sampling in evaluation; 0: the most likely token.
        network: shape of the decoder.
        optimizer: Adam.
        batch_size: completions per update.
        parts: the gradient is the sum of those of so many parts of the batch, which
            need less memory; 0: 4 on a CPU, where they are also faster, else 1.
    """

    average: Average = "token_mean"
    evaluation_temperature: float = 0.0
    network: transformer.Config = transformer.Config()
    optimizer: sgd.Optimizer = sgd.Optimizer(1e-3, 1e-8)
    batch_size: int = 32
    parts: int = 0

    def __post_init__(self) -> None:
        checks.choices(self)
        checks.at_least("evaluation_temperature", self.evaluation_temperature, 0)
        checks.at_least("batch_size", self.batch_size, 1)
        checks.parts(self.parts, self.batch_size)


def token_losses(logits: jax.Array, completion: jax.Array) -> jax.Array:
    """Cross-entropy of each token of a completion.

    Args:
        logits: `[T, V]`, each from the tokens before.
        completion: `[T]` int32.

    Returns:
        `[T]`, in nats; those after EOS mean nothing.
    """
    chex.assert_rank([logits, completion], [2, 1])
    return optax.softmax_cross_entropy_with_integer_labels(logits, completion)


def agent(config: Config, spec: Spec) -> Agent:
    """Builds supervised fine-tuning for a task whose actions are tokens."""
    network = assembly.for_task(config.network, spec)

    def loss(params: Params, part: assembly.Part) -> tuple[jax.Array, Metrics]:
        logits = sampling.completion_logits(
            params["policy"], network, part.prompt, part.completion
        )
        right = jnp.argmax(logits, axis=-1) == part.completion
        losses = jax.vmap(token_losses)(logits, part.completion)
        return part.average(losses), {"token_accuracy": part.token_mean(right)}

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
        loss=assembly.loss_in_parts(
            spec, loss, parts=config.parts, average=config.average
        ),
        act=act,
    )
