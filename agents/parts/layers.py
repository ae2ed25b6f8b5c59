"""Fully connected layers, with faster gradients on CPUs."""

from typing import Any

import jax
from flax import linen as nn

# What was measured with one thread on an AMD Milan: XLA multiplies with a transposed
# matrix slowly if the result has few rows (32 x 512 times 512 x 3136: 5.0 ms, and the
# transposed product 1.2 ms) or few columns (256 x 256 times 256 x 6: 0.10 and 0.02 ms).
# With fewer inputs for each row or output the transposed product gains nothing.
_MANY = 8  # inputs for each row of the batch, or for each output
_NARROW = 32  # outputs at most


def dense(width: int, initializer: nn.initializers.Initializer) -> nn.Dense:
    """A fully connected layer: parameters and results of `flax.linen.Dense`.

    On CPUs its gradients equal those of `flax.linen.Dense` to rounding. They cannot be
    differentiated forwards (`jax.jvp`).
    """
    return nn.Dense(width, kernel_init=initializer, dot_general=_dot_general)


def _dot_general(
    inputs: jax.Array, kernel: jax.Array, dimension_numbers: Any, *, precision: Any
) -> jax.Array:
    """What `flax.linen.Dense` multiplies with, in its only case: see `_product`."""
    del dimension_numbers, precision
    return _product(inputs, kernel)


@jax.custom_vjp
def _product(inputs: jax.Array, kernel: jax.Array) -> jax.Array:
    """`[..., K], [K, N] -> [..., N]`."""
    return inputs @ kernel


def _forward(
    inputs: jax.Array, kernel: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return inputs @ kernel, (inputs, kernel)


def _backward(
    saved: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    inputs, kernel = saved
    size, width = kernel.shape
    rows, flat = inputs.reshape(-1, size), gradient.reshape(-1, width)
    narrow = width <= _NARROW
    few_rows, few_columns = (size >= _MANY * count for count in (len(rows), width))
    of_inputs, of_kernel = flat @ kernel.T, rows.T @ flat
    if few_rows and not narrow:
        of_inputs = _transposed(flat, kernel.T)
    if few_columns and narrow:
        of_kernel = _transposed(rows.T, flat)
    return of_inputs.reshape(inputs.shape), of_kernel


_product.defvjp(_forward, _backward)


def _transposed(left: jax.Array, right: jax.Array) -> jax.Array:
    """`left @ right`, on CPUs as the transpose of `right.T @ left.T`.

    XLA would undo that; the barrier prevents it.
    """
    return jax.lax.platform_dependent(
        left,
        right,
        cpu=lambda a, b: jax.lax.optimization_barrier(b.T @ a.T).T,
        default=lambda a, b: a @ b,
    )
