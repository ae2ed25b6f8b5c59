"""Layout of prompts and completions by hand; means over tokens and over sequences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.parts.language import sequences
from agents.parts.language.sequences import EOS, PAD
from tests.agents.parts.language.decoders import COMPLETIONS, LENGTHS, PROMPTS, padded


def test_lengths_by_hand():
    assert sequences.prompt_length(PROMPTS).tolist() == [3, 1, 5, 2, 4]
    assert sequences.completion_length(COMPLETIONS).tolist() == LENGTHS


def test_a_completion_without_eos_was_cut_and_counts_whole():
    """PAD inside it is a token that the policy chose; what follows EOS is none."""
    cut = jnp.array([[7, PAD, 8, 9], [7, EOS, 8, EOS], [PAD, PAD, PAD, EOS]])
    assert sequences.completion_length(cut).tolist() == [4, 2, 4]
    wanted = [[True] * 4, [True, True, False, False], [True] * 4]
    assert sequences.completion_mask(cut).tolist() == wanted


def test_a_completion_follows_its_prompt_without_a_gap():
    prompt = padded([[4, 5], [6, 7, 8]], 3)
    completion = jnp.array([[9, EOS, PAD, PAD], [9, 10, 11, 12]])
    joined = sequences.join(prompt, completion)
    assert joined.tokens.tolist() == [
        [4, 5, 9, EOS, PAD, PAD, PAD],
        [6, 7, 8, 9, 10, 11, 12],
    ]
    no, yes = [False], [True]
    assert joined.mask.tolist() == [2 * no + 2 * yes + 3 * no, 3 * no + 4 * yes]
    assert joined.tokens.dtype == jnp.int32


def test_tokens_after_eos_are_dropped():
    joined = sequences.join(padded([[4]], 1), jnp.array([[EOS, 5, 6]]))
    assert joined.tokens.tolist() == [[4, EOS, PAD, PAD]]


def test_means_by_hand():
    values = jnp.array([[1.0, 3.0, 99.0], [8.0, 99.0, 99.0]])
    mask = jnp.array([[True, True, False], [True, False, False]])
    assert sequences.token_mean(values, mask) == pytest.approx(12 / 3)
    of_sequences = sequences.weighted(values, sequences.sequence_weights(mask))
    assert of_sequences == pytest.approx((2 + 8) / 2)
    by_hand = {"token": [1 / 3, 1 / 3, 1 / 3], "sequence": [1 / 4, 1 / 4, 1 / 2]}
    for name, weights in by_hand.items():
        found = getattr(sequences, f"{name}_weights")(mask)
        assert found[mask].tolist() == pytest.approx(weights)
        assert found.sum() == pytest.approx(1)


def test_the_token_mean_is_one_sum_over_one_count_however_a_batch_is_split():
    """The mean of the parts' means is another number."""
    rng = np.random.default_rng(0)
    values = jnp.array(rng.normal(size=(8, 5)), jnp.float32)
    mask = jnp.array(rng.integers(0, 2, (8, 5)), bool).at[:, 0].set(True)
    parts = [(values[i : i + 2], mask[i : i + 2]) for i in range(0, 8, 2)]
    means = [float(sequences.token_mean(*part)) for part in parts]
    counts = [int(part[1].sum()) for part in parts]
    whole = float(sequences.token_mean(values, mask))
    assert whole == pytest.approx(np.average(means, weights=counts), abs=1e-6)
    assert abs(whole - np.mean(means)) > 1e-3


def test_what_the_mask_hides_has_no_gradient_even_if_it_is_infinite():
    mask = jnp.array([[True, False]])
    for weights in (sequences.token_weights, sequences.sequence_weights):
        mean = jax.value_and_grad(sequences.weighted)
        value, slope = mean(jnp.array([[2.0, jnp.inf]]), weights(mask))
        assert (float(value), slope.tolist()) == (2.0, [[1.0, 0.0]])


def test_the_best_of_several_completions_is_the_first_with_the_highest_score():
    tokens = jnp.arange(2 * 3 * 4).reshape(2, 3, 4)
    scores = jnp.array([[1.0, 5.0, 2.0], [3.0, -1.0, 3.0]])
    found = sequences.best(tokens, scores)
    assert found.tolist() == [[4, 5, 6, 7], [12, 13, 14, 15]]
