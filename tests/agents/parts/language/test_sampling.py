"""Generation and scores of completions, on prompts of different lengths."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.parts.language import sampling, sequences, transformer
from agents.parts.language.sequences import EOS, PAD
from tests.agents.parts.language.decoders import (
    COMPLETIONS,
    CONFIG,
    LENGTHS,
    PROMPTS,
    V,
    padded,
    random_params,
)

T = 7


@functools.partial(jax.jit, static_argnums=(1, 4))
def generate(params, config, key, prompt, length, temperature):
    return sampling.generate(params, config, key, prompt, length, temperature)


@functools.partial(jax.jit, static_argnums=1)
def score(params, config, prompt, tokens):
    return sampling.score(params, config, prompt, tokens)


@functools.partial(jax.jit, static_argnums=1)
def next_logits(params, config, tokens, lengths):
    states = transformer.hidden(params, config, tokens)
    every = transformer.logits(params, config, states)
    return jnp.take_along_axis(every, (lengths - 1)[:, None, None], axis=1)[:, 0]


def test_log_probs_of_generation_are_those_of_the_parallel_pass(key):
    params = random_params()
    made = generate(params, CONFIG, key, PROMPTS, T, 1.0)
    again = score(params, CONFIG, PROMPTS, made.tokens)
    np.testing.assert_allclose(made.log_probs, again, atol=1e-5)
    lengths = sequences.completion_length(made.tokens)
    after = np.arange(T)[None] >= np.asarray(lengths)[:, None]
    assert after.any() and (lengths > 3).any()  # the test sees both
    assert np.all(np.asarray(made.tokens)[after] == PAD)
    assert np.all(np.asarray(made.log_probs)[after] == 0)
    assert np.all(np.asarray(made.log_probs)[~after] < 0)


def test_scores_are_log_softmax_of_each_row():
    params = random_params()
    found = score(params, CONFIG, PROMPTS, COMPLETIONS)
    for n in range(T):
        start = np.asarray(sequences.prompt_length(PROMPTS)) + n
        text = sequences.join(PROMPTS, COMPLETIONS).tokens
        log_probs = jax.nn.log_softmax(next_logits(params, CONFIG, text, start))
        wanted = np.asarray(log_probs)[np.arange(5), COMPLETIONS[:, n]]
        there = n < np.array(LENGTHS)
        np.testing.assert_allclose(found[:, n], np.where(there, wanted, 0), atol=1e-5)


def test_scores_in_chunks_have_value_and_gradient_of_the_whole():
    """35 positions; no intermediate of the gradient has the logits of all of them."""
    wide = dataclasses.replace(CONFIG, vocabulary=5_000)
    params = transformer.init(jax.random.key(7), wide)

    def total(params, chunk):
        scores = sampling.score(params, wide, PROMPTS, COMPLETIONS, chunk)
        return jnp.sum(scores * jnp.arange(35.0).reshape(5, 7))

    step = jax.jit(jax.value_and_grad(total), static_argnums=1)
    found, wanted = step(params, 4), step(params, 0)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3),
        found,
        wanted,
    )
    used = step.lower(params, 4).compile().memory_analysis().temp_size_in_bytes
    assert used < 35 * 5_000 * 4


def test_greedy_generation_takes_the_largest_logit_of_the_parallel_pass(key):
    params = random_params(seed=2)
    made = generate(params, CONFIG, key, PROMPTS, T, 0.0).tokens
    completion = jnp.full((5, 0), PAD)
    lengths = sequences.prompt_length(PROMPTS)
    text = jnp.pad(PROMPTS, ((0, 0), (0, T)))
    for n in range(T):
        best = jnp.argmax(next_logits(params, CONFIG, text, lengths + n), axis=-1)
        text = text.at[jnp.arange(5), lengths + n].set(best)
        completion = jnp.append(completion, best[:, None], axis=1)
    mask = sequences.completion_mask(completion)
    np.testing.assert_array_equal(made, jnp.where(mask, completion, PAD))
    other_key = generate(params, CONFIG, jax.random.key(9), PROMPTS, T, 0.0).tokens
    np.testing.assert_array_equal(made, other_key)


def chain_params():
    """A decoder whose layers add nothing: 5 leads to EOS, 6 to 7, 7 to 7."""
    config = dataclasses.replace(CONFIG, attention_cap=0.0, final_cap=0.0)
    params = jax.tree.map(jnp.zeros_like, transformer.init(jax.random.key(0), config))
    rows = {5: (1, 0), EOS: (2, 0), 6: (0, 1), 7: (0, 2)}
    for token, (x, y) in rows.items():
        params["embed"] = params["embed"].at[token, :2].set(jnp.array([x, y]))
    return config, params


def test_a_row_ends_at_eos_while_others_go_on_until_they_are_cut(key, monkeypatch):
    config, params = chain_params()
    calls, step = [], transformer.step

    def counted(*arguments):
        jax.debug.callback(lambda: calls.append(1))
        return step(*arguments)

    monkeypatch.setattr(transformer, "step", counted)
    prompt = padded([[5], [9, 6], [9, 9, 5], [6]], 3)  # no other test compiles it
    made = generate(params, config, key, prompt, 4, 0.0)
    ended, cut = [EOS, PAD, PAD, PAD], [7, 7, 7, 7]
    assert made.tokens.tolist() == [ended, cut, ended, cut]
    # The state is u = sqrt(12 / (1 + epsilon)) at first, else 0. So 5 has the logit u,
    # EOS 2 u, and the other eleven tokens 0.
    u = (12 / (1 + config.epsilon)) ** 0.5
    by_hand = -np.log(1 + np.exp(-u) + (V - 2) * np.exp(-2 * u))
    assert made.log_probs[0].tolist() == pytest.approx([by_hand, 0, 0, 0], rel=1e-4)
    jax.effects_barrier()
    assert len(calls) == 3  # the first token comes from the prompt

    # Generation ends with its last row: here at the first token.
    again = generate(params, config, key, padded([[5], [9, 5]] * 2, 3), 4, 0.0)
    assert again.tokens.tolist() == [ended] * 4
    jax.effects_barrier()
    assert len(calls) == 3


def test_samples_have_the_probabilities_of_the_softmax_at_the_temperature(key):
    """The temperature is an argument of the compiled program."""
    params, rows = random_params(), 4_000
    prompt = jnp.broadcast_to(PROMPTS[:1], (rows, 5))
    logits = next_logits(params, CONFIG, PROMPTS[:1], jnp.array([3]))[0]
    before = generate._cache_size()
    for temperature in (0.5, 1.0, 2.0):
        drawn = generate(params, CONFIG, key, prompt, 1, temperature).tokens[:, 0]
        found = np.bincount(drawn, minlength=V) / rows
        wanted = np.asarray(jax.nn.softmax(logits / temperature))
        deviation = np.sqrt(wanted * (1 - wanted) / rows)
        assert np.all(np.abs(found - wanted) < 5 * deviation + 1e-4), temperature
    assert generate._cache_size() == before + 1


def loss_and_gradient(prompt, completion):
    def loss(params):
        scores = sampling.score(params, CONFIG, prompt, completion)
        return -sequences.token_mean(scores, sequences.completion_mask(completion))

    return jax.jit(jax.value_and_grad(loss))(random_params())


def test_several_completions_follow_their_own_prompt(key):
    """A policy that is certain repeats itself for a prompt; others differ."""
    params = random_params()
    certain = params | {"norm": 1e4 * params["norm"]}
    uncapped = dataclasses.replace(CONFIG, final_cap=0.0)
    several = jax.jit(sampling.generate_several, static_argnums=(1, 4, 5))
    found = several(certain, uncapped, key, PROMPTS, 3, T)
    greedy = generate(certain, uncapped, key, PROMPTS, T, 0.0).tokens
    assert found.shape == (len(PROMPTS), 3, T)
    np.testing.assert_array_equal(found, np.repeat(greedy[:, None], 3, axis=1))
    drawn = several(params, CONFIG, key, PROMPTS, 3, T)
    assert (drawn[:, 0] != drawn[:, 1]).any(axis=1).all()


def test_pad_columns_and_the_order_of_rows_change_neither_loss_nor_gradient():
    found = loss_and_gradient(PROMPTS, COMPLETIONS)
    order = np.array([3, 0, 4, 2, 1])
    wider = [np.pad(each, ((0, 0), (0, 3))) for each in (PROMPTS, COMPLETIONS)]
    changed = loss_and_gradient(*(each[order] for each in wider))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
        found,
        changed,
    )
