"""Rewards of whole completions, from a decoder.

Letters in shapes: B sequences, P columns of prompts, T columns of completions.
"""

import chex
import jax
import jax.numpy as jnp

from agents.parts.contract import NetworkParams
from agents.parts.language import sequences, transformer


def rewards(
    params: NetworkParams,
    config: transformer.Config,
    prompt: jax.Array,
    completion: jax.Array,
) -> jax.Array:
    """The logit of PAD after the last token of each completion.

    No completion contains PAD, so the decoder needs no further parameters for its
    reward, and any language policy may give it its first weights.

    Args:
        params: of the decoder.
        config: of the decoder.
        prompt: `[B, P]`, padded on the right.
        completion: `[B, T]`.

    Returns:
        `[B]`.
    """
    chex.assert_rank([prompt, completion], 2)
    tokens = sequences.join(prompt, completion).tokens
    states = transformer.hidden(params, config, tokens)
    last = sequences.prompt_length(prompt) + sequences.completion_length(completion) - 1
    newest = jnp.take_along_axis(states, last[:, None, None], axis=1)[:, 0]
    return transformer.logits(params, config, newest)[:, sequences.PAD]
