"""Layout of prompts and completions, and means of losses over their tokens.

Everything is padded on the right: a row is a prompt, its completion with EOS, then PAD,
without a gap. So a token's position is its column, and causal attention never sees PAD.

Letters in shapes: B sequences, P columns of prompts, T columns of completions, and
L = P + T.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

PAD, EOS, BOS, UNK = 0, 1, 2, 3


class Sequences(NamedTuple):
    """Prompts, each followed by its completion.

    Attributes:
        tokens: `[B, L]` int32; PAD after the completion.
        mask: `[B, L]` bool; True at the completion's tokens, EOS included.
    """

    tokens: jax.Array
    mask: jax.Array


def prompt_length(prompt: jax.Array) -> jax.Array:
    """Columns before the padding: `[B, P] -> [B]` int32.

    No text contains PAD. This is the only function that looks for it.
    """
    chex.assert_rank(prompt, 2)
    before = jnp.cumprod(prompt != PAD, axis=1)
    return jnp.sum(before, axis=1, dtype=jnp.int32)


def completion_length(completion: jax.Array) -> jax.Array:
    """Tokens up to the first EOS, EOS included: `[B, T] -> [B]` int32.

    A completion without EOS was cut at T columns, and has length T.
    """
    return jnp.sum(completion_mask(completion), axis=1, dtype=jnp.int32)


def completion_mask(completion: jax.Array) -> jax.Array:
    """Whether a column is not after the first EOS: `[B, T] -> [B, T]` bool."""
    chex.assert_rank(completion, 2)
    ends = jnp.cumsum(completion == EOS, axis=1)
    return ends - (completion == EOS) == 0


def join(prompt: jax.Array, completion: jax.Array) -> Sequences:
    """Puts each completion directly behind its prompt: `[B, P], [B, T] -> [B, L]`."""
    chex.assert_rank([prompt, completion], 2)
    chex.assert_equal_shape_prefix([prompt, completion], 1)
    (_, p), (_, t) = prompt.shape, completion.shape
    start = prompt_length(prompt)[:, None]
    end = start + completion_length(completion)[:, None]
    column = jnp.arange(p + t)[None]
    mask = (column >= start) & (column < end)
    shifted = jnp.take_along_axis(
        completion, jnp.clip(column - start, 0, t - 1), axis=1
    )
    padded = jnp.pad(prompt, ((0, 0), (0, t)), constant_values=PAD)
    in_prompt = jnp.where(column < start, padded, PAD)
    return Sequences(jnp.where(mask, shifted, in_prompt), mask)


def token_weights(mask: jax.Array) -> jax.Array:
    """Weights of `token_mean`: `[B, T] -> [B, T]`; they add up to 1."""
    chex.assert_rank(mask, 2)
    return mask / jnp.sum(mask)


def sequence_weights(mask: jax.Array) -> jax.Array:
    """Weights of the mean over sequences of each one's mean over its tokens.

    Args:
        mask: `[B, T]` bool, which tokens count; at least one in each row.

    Returns:
        `[B, T]`; they add up to 1.

    Source: "On-Policy Distillation of Language Models", Eq. (2), for one sequence.
    """
    chex.assert_rank(mask, 2)
    return mask / (jnp.sum(mask, axis=1, keepdims=True) * len(mask))


def weighted(values: jax.Array, weights: jax.Array) -> jax.Array:
    """Sum of `[B, T]` values times weights; a value of weight 0 may be infinite."""
    chex.assert_rank([values, weights], 2)
    chex.assert_equal_shape([values, weights])
    return jnp.sum(jnp.where(weights > 0, values, 0) * weights)


def token_mean(values: jax.Array, mask: jax.Array) -> jax.Array:
    """Mean over all tokens of the batch: long completions weigh more.

    Args:
        values: `[B, T]`, one for each token.
        mask: `[B, T]` bool, which tokens count.

    Returns:
        `[]`.
    """
    return weighted(values, token_weights(mask))


def best(tokens: jax.Array, scores: jax.Array) -> jax.Array:
    """The completion with the highest score of each row: `[B, K, T] -> [B, T]`.

    Args:
        tokens: `[B, K, T]`.
        scores: `[B, K]`; of equal ones the first counts.
    """
    chex.assert_rank([tokens, scores], [3, 2])
    chex.assert_equal_shape_prefix([tokens, scores], 2)
    rank = jnp.argmax(scores, axis=1)
    return jnp.take_along_axis(tokens, rank[:, None, None], axis=1)[:, 0]
