"""Markov chains: their rows, what they draw, and the probabilities that they state."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from environments.language import chain


def small(order=2, symbols=3, floor=0.06, seed=5):
    return chain.draw(
        order=order, symbols=symbols, concentration=0.4, floor=floor, seed=seed
    )


class Uniforms:
    """A generator whose numbers are given."""

    def __init__(self, *numbers):
        self._numbers = numbers

    def random(self, size):
        assert size == len(self._numbers)
        return np.array(self._numbers)


def test_rows_are_distributions_over_symbols_above_the_floor():
    drawn = small()
    assert drawn.order == 2
    assert drawn.probs.shape == (7, 7, 7)
    np.testing.assert_allclose(drawn.probs.sum(-1), 1.0, rtol=1e-12)
    assert (drawn.probs[..., :4] == 0.0).all()
    assert drawn.probs[..., 4:].min() >= 0.06 / 3
    assert drawn.probs[4:, 4:, 4:].max() > 0.5
    # After PAD, EOS, BOS or UNK every symbol is equally likely.
    np.testing.assert_allclose(drawn.probs[2, 5, 4:], 1 / 3)
    np.testing.assert_allclose(drawn.probs[6, 0, 4:], 1 / 3)


def test_logarithms_are_finite_where_a_token_is_impossible():
    drawn = small()
    assert drawn.log_probs.dtype == np.float32
    assert (drawn.log_probs[..., :4] == -30.0).all()
    np.testing.assert_allclose(
        np.exp(drawn.log_probs[..., 4:]), drawn.probs[..., 4:], rtol=1e-5
    )


def test_the_seed_decides_the_rows_and_a_floor_of_one_makes_them_uniform():
    np.testing.assert_array_equal(small(seed=5).probs, small(seed=5).probs)
    assert not np.array_equal(small(seed=5).probs, small(seed=6).probs)
    np.testing.assert_allclose(small(floor=1.0).probs[..., 4:], 1 / 3)


def test_conditionals_of_a_table_written_by_hand():
    a, b, c = np.ogrid[:5, :5, :5]
    table = 100 * a + 10 * b + c  # states its own indices
    tokens = np.array([[1, 2, 3, 4], [4, 0, 2, 1]])
    assert chain.log_conditional(table, tokens, 2).tolist() == [
        [[120, 121, 122, 123, 124], [230, 231, 232, 233, 234]],
        [[400, 401, 402, 403, 404], [20, 21, 22, 23, 24]],
    ]
    assert chain.log_conditional(table, tokens[0], 3)[:, 0].tolist() == [230]
    with pytest.raises(ValueError, match="start must be at least the order 2, got 1"):
        chain.log_conditional(table, tokens, 1)


def test_conditionals_inside_jit_equal_those_outside():
    drawn = small()
    tokens = np.random.default_rng(0).integers(7, size=(2, 11))
    compiled = jax.jit(lambda table, rows: chain.log_conditional(table, rows, 3))
    inside = compiled(jnp.asarray(drawn.log_probs), jnp.asarray(tokens))
    assert inside.shape == (2, 8, 7)
    outside = chain.log_conditional(drawn.log_probs, tokens, 3)
    np.testing.assert_array_equal(inside, outside)


def test_a_sample_inverts_the_cumulative_rows():
    probs = np.zeros((6, 6))
    probs[4, 4:] = 0.25, 0.75
    probs[5, 4:] = 0.5, 0.5
    drawn = chain.Chain(probs, np.log(probs + 1e-9), probs.cumsum(-1))
    prompt = np.array([5, 4])
    tokens = drawn.sample(Uniforms(0.0, 0.25, 0.49, 0.26, 0.99), prompt, 5)
    assert tokens.dtype == np.int32
    assert tokens.tolist() == [4, 5, 4, 5, 5]
    assert drawn.sample(Uniforms(), prompt, 0).tolist() == []


def test_samples_have_the_probabilities_of_the_rows():
    drawn = small(symbols=3)
    generator = np.random.default_rng(1)
    prompt = np.array([4, 6, 5])
    counts = np.zeros(7)
    for _ in range(2_000):
        counts[drawn.sample(generator, prompt, 1)[0]] += 1
    # 0.05 is 4.5 standard errors of a share near 1/2.
    np.testing.assert_allclose(counts / 2_000, drawn.probs[6, 5], atol=0.05)


@pytest.mark.parametrize(("order", "skip"), [(1, 0), (1, 2), (2, 1)])
def test_expected_log_probability_equals_that_of_all_sequences(order, skip):
    drawn = small(order=order)
    symbols, length = range(4, 7), 3
    expected = 0.0
    for sequence in itertools.product(symbols, repeat=order + skip + length):
        probability, log_prob = 3.0**-order, 0.0
        for column in range(order, len(sequence)):
            index = sequence[column - order : column + 1]
            probability *= drawn.probs[index]
            if column >= order + skip:
                log_prob += np.log(drawn.probs[index])
        expected += probability * log_prob / length
    assert drawn.expected_log_prob(skip, length) == pytest.approx(expected, rel=1e-6)
