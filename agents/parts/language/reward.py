"""Rewards of whole completions, from a decoder that began with a policy's weights.

Letters in shapes: B sequences, P columns of prompts, T columns of completions.
"""

import chex
import jax
import jax.numpy as jnp

from agents.parts.contract import NetworkParams
from agents.parts.language import sequences, transformer


def rewards(
    params: NetworkParams,
    first: NetworkParams,
    config: transformer.Config,
    prompt: jax.Array,
    completion: jax.Array,
) -> jax.Array:
    """The logit of PAD after the last token, less what the first weights give it.

    No reference contains PAD, so the decoder needs no further parameters for its
    reward, and any language policy may give it its first weights. Without the
    difference, a completion that the policy never makes could have a large reward
    before anything is learned: fine-tuning lowers the logit of PAD only in states that
    it sees.

    Args:
        params: of the decoder.
        first: the weights with which it began; then all rewards were 0.
        config: of the decoder.
        prompt: `[B, P]`, padded on the right.
        completion: `[B, T]`.

    Returns:
        `[B]`.
    """
    chex.assert_rank([prompt, completion], 2)
    tokens = sequences.join(prompt, completion).tokens
    last = sequences.prompt_length(prompt) + sequences.completion_length(completion) - 1

    def pad_logit(network: NetworkParams) -> jax.Array:
        states = transformer.hidden(network, config, tokens)
        newest = jnp.take_along_axis(states, last[:, None, None], axis=1)[:, 0]
        return transformer.logits(network, config, newest)[:, sequences.PAD]

    return pad_logit(params) - pad_logit(first)
