"""Losses of large batches, computed in parts whose gradients are added.

A part needs the memory of its activations only. On a CPU it is also faster: caches hold
the activations, and the operating system need not provide fresh memory at each update.
At 4 layers of width 128 and 32 x 64 tokens, four parts take two thirds of the time.

Where the vocabulary is large, logits need most memory: `in_chunks` computes what
follows from them for some positions at a time.
"""

import math
from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp

from agents.parts import checks
from agents.parts.contract import Metrics, NetworkParams

# (params of the network that learns, rows [b, ...] of the batch) -> ([] sum, sums)
PartLoss = Callable[[NetworkParams, Any], tuple[jax.Array, Metrics]]


def number_of_parts(parts: int, rows: int) -> int:
    """Parts of equal size: `parts`, or its largest divisor that fits `rows`.

    Args:
        parts: wanted; 0: 4 on a CPU, else 1.
        rows: B.
    """
    wanted = parts or (4 if jax.default_backend() == "cpu" else 1)
    return math.gcd(wanted, rows)


def summed(
    function: PartLoss, params: NetworkParams, batch: Any, parts: int
) -> tuple[jax.Array, Metrics]:
    """The sum of `function` over parts of a batch; its gradient is computed with it.

    Args:
        function: the loss and metrics of some rows, as sums over them. What is divided
            by, such as the number of all tokens, belongs to the rows as weights. So the
            result is that of the whole batch, however it is split.
        params: of the network that learns.
        batch: leaves `[B, ...]`.
        parts: see `number_of_parts`.
    """
    number = number_of_parts(parts, _rows(batch))
    if number == 1:
        return function(params, batch)
    return _summed_with_gradient(function)(params, _split(batch, number))


def mapped(function: Callable[[Any], Any], batch: Any, parts: int) -> Any:
    """A function of each row, computed in parts; without gradient.

    Args:
        function: of leaves `[b, ...]`; those of its result are `[b, ...]`, too.
        batch: leaves `[B, ...]`.
        parts: see `number_of_parts`.

    Returns:
        Leaves `[B, ...]`.
    """
    rows = _rows(batch)
    found = jax.lax.map(function, _split(batch, number_of_parts(parts, rows)))
    joined = jax.tree.map(
        lambda leaf: leaf.swapaxes(0, 1).reshape(rows, *leaf.shape[2:]), found
    )
    return jax.lax.stop_gradient(joined)


def in_chunks(
    function: Callable[[Any], jax.Array], positions: Any, chunk: int
) -> jax.Array:
    """A number for each position, of which only those of a chunk are in memory at once.

    That is also so for the gradient, which computes each chunk again. Values and
    gradients are those of the plain call.

    Args:
        function: of leaves `[chunk, ...]`; it returns `[chunk]`.
        positions: leaves `[B, T, ...]`.
        chunk: positions at a time, at least 1.

    Returns:
        `[B, T]`.
    """
    checks.at_least("chunk", chunk, 1)
    leaves = jax.tree.leaves(positions)
    chex.assert_equal_shape_prefix(leaves, 2)
    shape = leaves[0].shape[:2]
    size = math.prod(shape)
    number = -(-size // chunk)

    def cut(leaf: jax.Array) -> jax.Array:
        flat = leaf.reshape(size, *leaf.shape[2:])
        rest = [(0, 0)] * (flat.ndim - 1)
        flat = jnp.pad(flat, [(0, number * chunk - size), *rest])
        return flat.reshape(number, chunk, *flat.shape[1:])

    values = jax.lax.map(jax.checkpoint(function), jax.tree.map(cut, positions))
    return values.reshape(-1)[:size].reshape(shape)


def _rows(batch: Any) -> int:
    return jax.tree.leaves(batch)[0].shape[0]


def _split(batch: Any, number: int) -> Any:
    """Leaves `[B, ...] -> [number, B / number, ...]`.

    Each part takes every `number`-th row, so that devices that share a batch share each
    part.
    """
    return jax.tree.map(
        lambda leaf: leaf.reshape(-1, number, *leaf.shape[1:]).swapaxes(0, 1), batch
    )


def _summed_with_gradient(function: PartLoss) -> PartLoss:
    """As `function`, for leaves `[parts, b, ...]`."""

    def add_up(one: Callable[[Any], Any], parts: Any) -> Any:
        first = jax.tree.map(lambda leaf: leaf[0], parts)
        zeros = jax.tree.map(
            lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(one, first)
        )
        return jax.lax.scan(
            lambda sums, part: (jax.tree.map(jnp.add, sums, one(part)), None),
            zeros,
            parts,
        )[0]

    @jax.custom_vjp
    def total(params: NetworkParams, parts: Any) -> tuple[jax.Array, Metrics]:
        return add_up(lambda part: function(params, part), parts)

    def forward(params: NetworkParams, parts: Any) -> tuple[Any, Any]:
        step = jax.value_and_grad(function, has_aux=True)
        return add_up(lambda part: step(params, part), parts)

    def backward(gradient: NetworkParams, cotangents: Any) -> tuple[Any, None]:
        return jax.tree.map(lambda leaf: cotangents[0] * leaf, gradient), None

    total.defvjp(forward, backward)
    return total
