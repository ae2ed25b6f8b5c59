"""Fully connected layers: parameters and results are those of `flax.linen.Dense`."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.parts import layers

KERNEL = nn.initializers.xavier_uniform()


def outputs_and_gradients(layer, params, inputs, weights):
    """Outputs, and gradients of their weighted sum by parameters and by inputs."""

    def loss(params, inputs):
        outputs = layer.apply(params, inputs)
        return jnp.sum(weights * outputs), outputs

    gradients, outputs = jax.grad(loss, argnums=(0, 1), has_aux=True)(params, inputs)
    return outputs, *gradients


@pytest.mark.parametrize(
    ("rows", "width", "backend"),
    [
        ((3,), 37, "cpu"),  # many inputs for each row
        ((11,), 7, "cpu"),  # many inputs for each of few outputs
        ((2, 5), 37, "cpu"),  # the two dimensions of rows that IQN has
        ((3,), 37, "accelerator"),
    ],
)
def test_it_is_the_layer_of_flax(key, monkeypatch, rows, width, backend):
    if backend == "accelerator":
        chosen = lambda *args, cpu, default: default(*args)  # noqa: E731
        monkeypatch.setattr(jax.lax, "platform_dependent", chosen)
    ours, flaxes = layers.dense(width, KERNEL), nn.Dense(width, kernel_init=KERNEL)
    inputs, weights = (
        np.random.default_rng(seed).normal(size=(*rows, size)).astype(np.float32)
        for seed, size in ((1, 83), (2, width))
    )

    def compute(layer):
        params = layer.init(key, inputs)
        return params, outputs_and_gradients(layer, params, inputs, weights)

    (start, found), (flaxes_start, wanted) = jax.jit(
        lambda: (compute(ours), compute(flaxes))
    )()
    jax.tree.map(np.testing.assert_array_equal, start, flaxes_start)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_gradients_by_hand():
    """y = x W with one row, 16 inputs and 2 outputs: the input gradient is W dy."""
    kernel = np.arange(32, dtype=np.float32).reshape(16, 2)
    params = {"params": {"kernel": kernel, "bias": np.zeros(2, np.float32)}}
    inputs = np.arange(16, dtype=np.float32)[None] - 3
    weights, layer = np.array([[2.0, -1.0]], np.float32), layers.dense(2, KERNEL)
    _, of_params, of_inputs = jax.jit(
        lambda: outputs_and_gradients(layer, params, inputs, weights)
    )()
    # Row k of W is (2k, 2k + 1): 2 (2k) - (2k + 1) = 2k - 1.
    np.testing.assert_array_equal(of_inputs[0], 2 * np.arange(16) - 1)
    expected = np.outer(np.arange(16) - 3, [2, -1])
    np.testing.assert_array_equal(of_params["params"]["kernel"], expected)
    np.testing.assert_array_equal(of_params["params"]["bias"], [2, -1])


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
