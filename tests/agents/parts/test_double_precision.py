"""Double precision for a while, on every version of JAX."""

import jax.numpy as jnp

from agents.parts.double_precision import double_precision


def test_arrays_are_double_inside_and_single_outside():
    assert jnp.zeros(3).dtype == jnp.float32
    with double_precision():
        assert jnp.zeros(3).dtype == jnp.float64
        assert jnp.arange(5).dtype == jnp.int64
        with double_precision(False):
            assert jnp.zeros(3).dtype == jnp.float32
    assert jnp.zeros(3).dtype == jnp.float32
