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
@pytest.mark.parametrize("backend", ["cpu", "accelerator"])
def test_parameters_outputs_and_gradients_are_flaxes(key, monkeypatch, rows, backend):
    if backend == "accelerator":
        chosen = lambda *args, cpu, default: default(*args)  # noqa: E731
        monkeypatch.setattr(jax.lax, "platform_dependent", chosen)
    ours, flaxes = layers.dense(7, KERNEL), nn.Dense(7, kernel_init=KERNEL)
    inputs, weights = (
        jax.random.normal(jax.random.key(seed), (*rows, size))
        for seed, size in ((1, 83), (2, 7))
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


@pytest.mark.parametrize(("inputs", "own"), [(24, True), (23, False)])
def test_only_layers_with_many_inputs_for_each_row_have_it(key, inputs, own):
    """Three rows: from 8 x 3 inputs on, the product has its own gradient."""
    layer, given = layers.dense(5, KERNEL), jnp.ones((3, inputs))
    jaxpr = jax.make_jaxpr(layer.apply)(layer.init(key, given), given)
    assert ("custom_vjp" in str(jaxpr)) == own
