"""Generation of completions, and log-probabilities of given ones.

Letters in shapes: B sequences, P columns of prompts, T columns of completions,
V tokens, D width.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from agents.parts.contract import NetworkParams
from agents.parts.language import accumulation, sequences, transformer


class Completion(NamedTuple):
    """Generated completions.

    Attributes:
        tokens: `[B, T]` int32: up to EOS, then PAD; without EOS if it was cut at T.
        log_probs: `[B, T]` float32 of these tokens under the model, at temperature 1
            whatever the temperature they were drawn at; 0 after EOS.
    """

    tokens: jax.Array
    log_probs: jax.Array


class _Loop(NamedTuple):
    """State of generation after `made` tokens: the last one is not read yet."""

    made: jax.Array
    ended: jax.Array
    last: jax.Array
    cache: transformer.Cache
    completion: Completion


def generate(
    params: NetworkParams,
    config: transformer.Config,
    key: jax.Array,
    prompt: jax.Array,
    length: int,
    temperature: jax.Array | float = 1.0,
) -> Completion:
    """Draws one completion for each prompt.

    Prompts are read in one parallel pass. Then each row continues behind its own
    prompt, one token at a time, until all rows have ended.

    Args:
        params: of the decoder.
        config: of the decoder.
        key: consumed.
        prompt: `[B, P]`, padded on the right, each of at least one token.
        length: T.
        temperature: divides the logits; 0 takes the most likely token.
    """
    chex.assert_rank(prompt, 2)
    batch, columns = prompt.shape
    start = sequences.prompt_length(prompt)
    states, cache = transformer.prefill(
        params, config, prompt, start, columns + length - 1
    )
    newest = jnp.take_along_axis(states, (start - 1)[:, None, None], axis=1)[:, 0]
    empty = Completion(
        jnp.full((batch, length), sequences.PAD, jnp.int32),
        jnp.zeros((batch, length)),
    )
    ended = jnp.zeros(batch, bool)
    token, log_prob = _draw(
        transformer.logits(params, config, newest), key, 0, temperature
    )
    first = _Loop(jnp.array(0), ended, token, cache, empty)

    def body(loop: _Loop) -> _Loop:
        position = start + loop.made - 1
        scores, cache = transformer.step(
            params, config, loop.last, position, loop.cache
        )
        token, log_prob = _draw(scores, key, loop.made, temperature)
        return _append(loop._replace(cache=cache), token, log_prob)

    last = jax.lax.while_loop(
        lambda loop: (loop.made < length) & ~jnp.all(loop.ended),
        body,
        _append(first, token, log_prob),
    )
    return last.completion


def generate_several(
    params: NetworkParams,
    config: transformer.Config,
    key: jax.Array,
    prompt: jax.Array,
    number: int,
    length: int,
) -> jax.Array:
    """Draws the tokens `[B, number, T]` of several completions for each prompt.

    Args:
        params: of the decoder.
        config: of the decoder.
        key: consumed.
        prompt: `[B, P]`, as of `generate`.
        number: of completions for each prompt.
        length: T.
    """
    many = jnp.repeat(prompt, number, axis=0)
    tokens = generate(params, config, key, many, length).tokens
    return tokens.reshape(len(prompt), number, length)


def _draw(
    scores: jax.Array,
    key: jax.Array,
    count: jax.Array | int,
    temperature: jax.Array | float,
) -> tuple[jax.Array, jax.Array]:
    """Tokens `[B]` drawn from logits `[B, V]`, and their log-probabilities `[B]`.

    The largest of logits / temperature plus Gumbel noise is a sample of the softmax;
    multiplied by the temperature, it is defined at 0 as well.
    """
    noise = jax.random.gumbel(jax.random.fold_in(key, count), scores.shape)
    token = jnp.argmax(scores + temperature * noise, axis=-1).astype(jnp.int32)
    log_probs = jax.nn.log_softmax(scores)
    return token, jnp.take_along_axis(log_probs, token[:, None], axis=-1)[:, 0]


def _append(loop: _Loop, token: jax.Array, log_prob: jax.Array) -> _Loop:
    """Writes one token of each row that has not ended, PAD in the others."""
    token = jnp.where(loop.ended, sequences.PAD, token)
    log_prob = jnp.where(loop.ended, 0, log_prob)
    at = (0, loop.made)
    completion = Completion(
        jax.lax.dynamic_update_slice(loop.completion.tokens, token[:, None], at),
        jax.lax.dynamic_update_slice(loop.completion.log_probs, log_prob[:, None], at),
    )
    ended = loop.ended | (token == sequences.EOS)
    return _Loop(loop.made + 1, ended, token, loop.cache, completion)


def predicting_states(
    params: NetworkParams,
    config: transformer.Config,
    prompt: jax.Array,
    completion: jax.Array,
) -> jax.Array:
    """States from which each token of a completion is predicted, in one parallel pass.

    `transformer.logits` of column n are those of completion token n, so losses over
    completions have the shape `[B, T]` of the completion and of its mask.

    Args:
        params: of the decoder.
        config: of the decoder.
        prompt: `[B, P]`, padded on the right, each of at least one token.
        completion: `[B, T]`.

    Returns:
        `[B, T, D]`.
    """
    tokens = sequences.join(prompt, completion).tokens[:, :-1]  # none follows the last
    states = transformer.hidden(params, config, tokens)
    start = sequences.prompt_length(prompt) - 1
    length = completion.shape[1]
    return jax.vmap(lambda row, at: jax.lax.dynamic_slice_in_dim(row, at, length))(
        states, start
    )


def completion_logits(
    params: NetworkParams,
    config: transformer.Config,
    prompt: jax.Array,
    completion: jax.Array,
) -> jax.Array:
    """Logits `[B, T, V]` of each completion token, given the prompt and those before.

    See `predicting_states`.
    """
    states = predicting_states(params, config, prompt, completion)
    return transformer.logits(params, config, states)


def score(
    params: NetworkParams,
    config: transformer.Config,
    prompt: jax.Array,
    tokens: jax.Array,
    chunk: int = 0,
) -> jax.Array:
    """Log-probabilities `[B, T]` of given completions `[B, T]`; 0 after EOS.

    Args:
        params: of the decoder.
        config: of the decoder.
        prompt: `[B, P]`, padded on the right.
        tokens: `[B, T]`, the completions.
        chunk: positions whose logits are in memory at a time; 0: all.
    """
    states = predicting_states(params, config, prompt, tokens)

    def taken(positions: tuple[jax.Array, jax.Array]) -> jax.Array:
        states, tokens = positions
        log_probs = jax.nn.log_softmax(transformer.logits(params, config, states))
        return jnp.take_along_axis(log_probs, tokens[..., None], axis=-1)[..., 0]

    both = (states, tokens)
    found = accumulation.in_chunks(taken, both, chunk) if chunk else taken(both)
    return jnp.where(sequences.completion_mask(tokens), found, 0)
