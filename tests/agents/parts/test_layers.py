"""Fully connected layers: parameters and results are those of `flax.linen.Dense`."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.parts import layers

KERNEL = nn.initializers.xavier_uniform()


def both_gradients(layer, params, inputs, weights):
    """Gradients of a weighted sum of outputs, by parameters and by inputs."""

    def loss(params, inputs):
        return jnp.sum(weights * layer.apply(params, inputs))

    return jax.jit(jax.grad(loss, argnums=(0, 1)))(params, inputs)


# Many inputs for each row, few, and the two dimensions of rows that IQN has.
@pytest.mark.parametrize("rows", [(3,), (11,), (2, 5)])
@pytest.mark.parametrize("width", [7, 37])  # with few and many outputs
@pytest.mark.parametrize("backend", ["cpu", "accelerator"])
def test_it_is_the_layer_of_flax(key, monkeypatch, rows, width, backend):
    if backend == "accelerator":
        chosen = lambda *args, cpu, default: default(*args)  # noqa: E731
        monkeypatch.setattr(jax.lax, "platform_dependent", chosen)
    ours, flaxes = layers.dense(width, KERNEL), nn.Dense(width, kernel_init=KERNEL)
    inputs, weights = (
        jax.random.normal(jax.random.key(seed), (*rows, size))
        for seed, size in ((1, 83), (2, width))
    )
    params = ours.init(key, inputs)
    for one, other in zip(
        jax.tree.leaves_with_path(params),
        jax.tree.leaves_with_path(flaxes.init(key, inputs)),
        strict=True,
    ):
        assert one[0] == other[0]
        np.testing.assert_array_equal(one[1], other[1])
    np.testing.assert_array_equal(
        ours.apply(params, inputs), flaxes.apply(params, inputs)
    )
    for found, wanted in zip(
        jax.tree.leaves(both_gradients(ours, params, inputs, weights)),
        jax.tree.leaves(both_gradients(flaxes, params, inputs, weights)),
        strict=True,
    ):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_gradients_by_hand():
    """y = x W with 8 inputs and one row; the input gradient is W times dy."""
    kernel = jnp.arange(16.0).reshape(8, 2)
    params = {"params": {"kernel": kernel, "bias": jnp.zeros(2)}}
    inputs, weights = jnp.arange(8.0)[None] - 3, jnp.array([[2.0, -1.0]])
    layer = layers.dense(2, KERNEL)
    of_params, of_inputs = both_gradients(layer, params, inputs, weights)
    # Row k of W is (2k, 2k + 1): 2 (2k) - (2k + 1) = 2k - 1.
    np.testing.assert_array_equal(of_inputs[0], 2 * np.arange(8.0) - 1)
    expected = np.outer(np.arange(8.0) - 3, [2.0, -1.0])
    np.testing.assert_array_equal(of_params["params"]["kernel"], expected)
    np.testing.assert_array_equal(of_params["params"]["bias"], [2.0, -1.0])


@pytest.mark.parametrize(
    ("rows", "inputs", "width", "products"),
    [
        (3, 24 * 33, 33, 1),  # many inputs for each row: their gradient
        (3, 23, 33, 0),
        (31, 40, 5, 1),  # many inputs for each of few outputs: the kernel's gradient
        (31, 39, 5, 0),
        (99, 33 * 8, 33, 0),  # too many outputs
        (3, 40, 5, 1),  # with few outputs the gradient of the inputs is fast
    ],
)
def test_which_products_are_transposed(rows, inputs, width, products):
    layer, given = layers.dense(width, KERNEL), jnp.ones((rows, inputs))
    params = jax.eval_shape(layer.init, jax.random.key(0), given)

    def loss(params, given):
        return jnp.sum(layer.apply(params, given))

    jaxpr = jax.make_jaxpr(jax.grad(loss, argnums=(0, 1)))(params, given)
    assert str(jaxpr).count("optimization_barrier") == products
