"""Merges of the weights of decoders that began with the same weights.

Ramé et al., "WARP: On the Benefits of Weight Averaged Rewarded Policies", 2024,
https://arxiv.org/abs/2406.16768, Section 3. A task vector is the difference from the
weights with which a run began. Interpolation on the sphere (SLERP) keeps the length of
task vectors, linear interpolation shortens it, the more so the larger their angle.

A layer is one of the decoder's layers, its embedding, or its last norm. Nothing here
depends on what the arrays of a layer are.
"""

from collections.abc import Callable, Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp

from agents.parts.contract import NetworkParams

# Below this sine, or where a task vector is 0, SLERP is linear interpolation.
_LEAST_SINE = 1e-6


def cosines(
    base: NetworkParams, first: NetworkParams, second: NetworkParams
) -> dict[str, jax.Array]:
    """The cosine between two task vectors in each layer; 0 where one of them is 0."""
    layers = zip(
        *(_layers(each).items() for each in (base, first, second)), strict=True
    )
    return {
        name: _cosine(_minus(one, start), _minus(two, start))
        for (name, start), (_, one), (_, two) in layers
    }


def slerp(
    base: NetworkParams, tuned: Sequence[NetworkParams], weight: float | None = None
) -> NetworkParams:
    """Interpolates task vectors on the sphere, layer by layer.

    Args:
        base: the weights with which all runs began.
        tuned: the weights of M runs, at least one.
        weight: of the last of two; None: all weigh the same. Of more than two, run
            m + 1 is merged into the merge of the first m with weight 1 / (m + 1).

    Source: SLERP in Section 3; more than two runs as in the appendix.
    """
    return _folded(base, tuned, weight, _slerp_of_layer)


def lerp(
    base: NetworkParams, tuned: Sequence[NetworkParams], weight: float | None = None
) -> NetworkParams:
    """Interpolates weights linearly; with equal weights, their mean. See `slerp`."""
    return _folded(base, tuned, weight, _lerp_of_layer)


def towards(
    base: NetworkParams, merged: NetworkParams, fraction: float
) -> NetworkParams:
    """The weights that are a fraction of the way from `base` to `merged` (LITI)."""
    chex.assert_trees_all_equal_shapes(base, merged)
    return jax.tree.map(
        lambda start, end: (1 - fraction) * start + fraction * end, base, merged
    )


def _folded(
    base: NetworkParams,
    tuned: Sequence[NetworkParams],
    weight: float | None,
    merge: Callable[[Any, Any, float], Any],
) -> NetworkParams:
    if not tuned:
        raise ValueError("a merge needs the weights of at least one run, got none")
    if weight is not None and len(tuned) != 2:
        raise ValueError(f"a weight is for the merge of two runs, got {len(tuned)}")
    chex.assert_trees_all_equal_shapes(base, *tuned)
    vectors = [_layers(_minus(each, base)) for each in tuned]
    merged = vectors[0]
    for i, vector in enumerate(vectors[1:], start=2):
        share = 1 / i if weight is None else weight
        merged = {
            name: merge(layer, vector[name], share) for name, layer in merged.items()
        }
    leaves = [leaf for layer in merged.values() for leaf in jax.tree.leaves(layer)]
    total = jax.tree.unflatten(jax.tree.structure(base), leaves)
    return jax.tree.map(jnp.add, base, total)


def _slerp_of_layer(one: Any, two: Any, weight: float) -> Any:
    angle = jnp.arccos(_cosine(one, two))
    sine = jnp.sin(angle)
    linear = (sine < _LEAST_SINE) | (_product(one, one) * _product(two, two) == 0)
    safe = jnp.where(linear, 1.0, sine)
    first = jnp.where(linear, 1 - weight, jnp.sin((1 - weight) * angle) / safe)
    second = jnp.where(linear, weight, jnp.sin(weight * angle) / safe)
    return jax.tree.map(lambda a, b: first * a + second * b, one, two)


def _lerp_of_layer(one: Any, two: Any, weight: float) -> Any:
    return jax.tree.map(lambda a, b: (1 - weight) * a + weight * b, one, two)


def _cosine(one: Any, two: Any) -> jax.Array:
    lengths = jnp.sqrt(_product(one, one) * _product(two, two))
    cosine = _product(one, two) / jnp.where(lengths > 0, lengths, 1)
    return jnp.clip(cosine, -1, 1)


def _product(one: Any, two: Any) -> jax.Array:
    """The inner product of two trees."""
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True)
    return sum((jnp.vdot(a, b) for a, b in pairs), jnp.zeros(()))


def _minus(params: Any, base: Any) -> Any:
    return jax.tree.map(jnp.subtract, params, base)


def _layers(params: NetworkParams) -> dict[str, Any]:
    """The layers of a decoder by name, in the order of its leaves."""
    found: dict[str, Any] = {}
    for name in sorted(params):
        if isinstance(params[name], list):
            found |= {f"{name}/{i}": each for i, each in enumerate(params[name])}
        else:
            found[name] = params[name]
    return found
