"""Sums over parts of a batch: value, metrics and gradient are those of the whole."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.parts.language import accumulation


def squared_errors(params, rows):
    inputs, targets, weights = rows
    errors = jnp.square(inputs @ params["w"] - targets)
    return jnp.sum(weights * errors), {"positive": jnp.sum(weights * (errors > 1))}


RNG = np.random.default_rng(0)
ROWS = [jnp.float32(RNG.normal(size=shape)) for shape in ((12, 3), (12,))]
BATCH = (*ROWS, jnp.float32(RNG.uniform(size=12)))
PARAMS = {"w": jnp.array([1.0, -2.0, 0.5])}


@pytest.mark.parametrize("parts", [1, 3, 4, 8])
def test_parts_add_up_to_the_whole(parts):
    def loss(params):
        value, metrics = accumulation.summed(squared_errors, params, BATCH, parts)
        return 3 * value, metrics

    found, slope = jax.jit(jax.value_and_grad(loss, has_aux=True))(PARAMS)
    (value, metrics), gradient = jax.value_and_grad(squared_errors, has_aux=True)(
        PARAMS, BATCH
    )
    np.testing.assert_allclose(loss(PARAMS)[0], 3 * value, rtol=1e-5)
    np.testing.assert_allclose(found[0], 3 * value, rtol=1e-5)
    np.testing.assert_allclose(found[1]["positive"], metrics["positive"], rtol=1e-5)
    np.testing.assert_allclose(slope["w"], 3 * gradient["w"], rtol=1e-5)


@pytest.mark.parametrize("chunk", [1, 4, 6, 99])
def test_chunks_of_positions_are_joined_in_order(chunk):
    """Six positions of two leaves with other ranks."""
    states, tokens = jnp.arange(12.0).reshape(2, 3, 2), jnp.arange(6).reshape(2, 3)
    found = accumulation.in_chunks(
        lambda rows: rows[0] @ jnp.array([1.0, 10.0]) + 100 * rows[1],
        (states, tokens),
        chunk,
    )
    assert found.tolist() == [[10, 132, 254], [376, 498, 620]]


def test_a_part_sees_its_rows_only():
    """Four parts of three rows, each with every fourth row."""
    seen = []

    def sums(params, rows):
        jax.debug.callback(lambda part: seen.append(sorted(part.tolist())), rows)
        return params * jnp.sum(rows), {}

    value, gradient = jax.value_and_grad(
        lambda p: accumulation.summed(sums, p, jnp.arange(12.0), 4)[0]
    )(2.0)
    jax.effects_barrier()
    assert sorted(seen) == [[k, k + 4, k + 8] for k in range(4)]
    assert (value, gradient) == (132, 66)


def test_parts_have_equal_sizes():
    """The numbers of parts are common divisors."""
    found = [accumulation.number_of_parts(*pair) for pair in ((4, 32), (4, 6), (3, 11))]
    assert found == [4, 2, 1]
    assert accumulation.number_of_parts(0, 32) == 4  # tests run on a CPU


@pytest.mark.parametrize("parts", [1, 3, 4, 8])
def test_rows_that_are_mapped_in_parts_keep_their_places(parts):
    def function(rows):
        inputs, targets, _ = rows
        return {"sum": inputs.sum(axis=1) - targets, "double": 2 * inputs}

    found = accumulation.mapped(function, BATCH, parts)
    np.testing.assert_allclose(found["sum"], ROWS[0].sum(axis=1) - ROWS[1], rtol=1e-5)
    np.testing.assert_array_equal(found["double"], 2 * ROWS[0])
    slope = jax.grad(lambda x: accumulation.mapped(jnp.sin, x, parts).sum())(ROWS[0])
    assert not slope.any()
