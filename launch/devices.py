"""Data-parallel updates: devices share each batch, and each holds the whole state.

The devices are those of all processes that JAX has connected, mostly of one. Each of
several processes gives its rows of a batch (`share`) and the whole state (`replicate`),
and all of them must make the same calls in the same order.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from agents.parts.contract import Metrics, TrainingState
from launch.errors import UnevenBatch

# (state, batch, shared) -> (state, metrics)
SharedUpdate = Callable[[TrainingState, Any, Any], tuple[TrainingState, Metrics]]


def check_batch(batch_size: int, devices: Sequence[Any]) -> None:
    """Refuses a batch that devices cannot share evenly.

    Args:
        batch_size: B.
        devices: the devices that share the batch.

    Raises:
        UnevenBatch: the number of devices does not divide B.
    """
    if batch_size % len(devices):
        raise UnevenBatch(batch_size, len(devices))


def compile_update(
    update: SharedUpdate, batch_size: int, devices: Sequence[Any] | None = None
) -> SharedUpdate:
    """Compiles an update for data-parallel execution on all devices.

    The batch is sharded over the mesh axis `data`; the state and `shared` are
    replicated. The result equals that of one device up to rounding.

    Args:
        update: `(state, batch, shared) -> (state, metrics)`; `shared` is a pytree that
            every update reads, None where there is nothing to read.
        batch_size: B; the number of devices must divide it.
        devices: default `jax.devices()`.

    Raises:
        UnevenBatch: the number of devices does not divide B.
    """
    devices = jax.devices() if devices is None else devices
    check_batch(batch_size, devices)
    if len(devices) == 1:
        return jax.jit(update)
    replicated = _replicated(devices)
    sharded = NamedSharding(replicated.mesh, PartitionSpec("data"))
    return jax.jit(
        update,
        in_shardings=(replicated, sharded, replicated),
        out_shardings=replicated,
    )


def replicate(tree: Any) -> Any:
    """Puts the whole of `tree`, equal in all processes, on each device."""
    devices = jax.devices()
    if len(devices) == 1:
        return jax.device_put(tree)
    place = _replicated(devices)
    if jax.process_count() == 1:
        return jax.device_put(tree, place)
    return jax.tree.map(lambda leaf: _assemble(leaf, place, 1), local(tree))


def share(batch: Any) -> Any:
    """The batch `[B, ...]` of which each of K processes gives its rows `[B/K, ...]`."""
    ranks = jax.process_count()
    if ranks == 1:
        return batch
    place = NamedSharding(Mesh(jax.devices(), ("data",)), PartitionSpec("data"))
    return jax.tree.map(lambda leaf: _assemble(leaf, place, ranks), batch)


def local(tree: Any) -> Any:
    """What `replicate` has put on the devices, as arrays of this process alone."""
    if jax.process_count() == 1:
        return tree
    return jax.tree.map(
        lambda leaf: leaf.addressable_data(0) if isinstance(leaf, jax.Array) else leaf,
        tree,
    )


def _assemble(leaf: Any, place: NamedSharding, parts: int) -> jax.Array:
    """A global array of which this process gives one of `parts` equal parts."""
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        data = _assemble(jax.random.key_data(leaf), place, parts)
        return jax.random.wrap_key_data(data, impl=jax.random.key_impl(leaf))
    rows = np.asarray(leaf)
    shape = (parts * rows.shape[0], *rows.shape[1:]) if parts > 1 else rows.shape
    return jax.make_array_from_process_local_data(place, rows, shape)


def _replicated(devices: Sequence[Any]) -> NamedSharding:
    return NamedSharding(Mesh(devices, ("data",)), PartitionSpec())
