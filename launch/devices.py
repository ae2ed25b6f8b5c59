"""Data-parallel updates: devices share each batch, and each holds the whole state."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
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
    """Compiles an update for data-parallel execution on all local devices.

    The batch is sharded over the mesh axis `data`; the state and `shared` are
    replicated. The result equals that of one device up to rounding.

    Args:
        update: `(state, batch, shared) -> (state, metrics)`; `shared` is a pytree that
            every update reads, None where there is nothing to read.
        batch_size: B; the number of devices must divide it.
        devices: default `jax.local_devices()`.

    Raises:
        UnevenBatch: the number of devices does not divide B.
    """
    devices = jax.local_devices() if devices is None else devices
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
    """Puts the whole of `tree` on each local device."""
    devices = jax.local_devices()
    if len(devices) == 1:
        return jax.device_put(tree)
    return jax.device_put(tree, _replicated(devices))


def _replicated(devices: Sequence[Any]) -> NamedSharding:
    return NamedSharding(Mesh(devices, ("data",)), PartitionSpec())
