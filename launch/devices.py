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
# (state, a tuple of batches, shared) -> (state, metrics of the last update)
CompiledUpdate = Callable[
    [TrainingState, tuple[Any, ...], Any], tuple[TrainingState, Metrics]
]


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
    update: SharedUpdate,
    batch_size: int,
    devices: Sequence[Any] | None = None,
    *,
    unroll: bool | None = None,
) -> CompiledUpdate:
    """Compiles updates for data-parallel execution on all devices.

    Each batch is sharded over the mesh axis `data`; the state and `shared` are
    replicated. The result equals that of one device up to rounding, and that of several
    batches equals one update after another up to rounding.

    The new state reuses the memory of the old state's targets and optimisers: nothing
    may read them after the call. Parameters, steps and key of the old state stay valid,
    as an actor or another thread may read them. On a CPU a DQN update then takes a
    fifth less time, and the call returns only when the update is done.

    Args:
        update: `(state, batch, shared) -> (state, metrics)`; `shared` is a pytree that
            every update reads, None where there is nothing to read.
        batch_size: B; the number of devices must divide it.
        devices: default `jax.devices()`.
        unroll: whether several updates are compiled one after another, which takes
            longer to compile, or as a loop; None: as a loop on accelerators only, since
            a CPU is slower at convolutions within one.

    Returns:
        `(state, batches, shared) -> (state, metrics)`, compiled for each number of
        batches; the metrics are those of the last batch.

    Raises:
        UnevenBatch: the number of devices does not divide B.
    """
    devices = jax.devices() if devices is None else devices
    check_batch(batch_size, devices)
    if unroll is None:
        unroll = jax.default_backend() == "cpu"

    def run(
        kept: TrainingState, reused: tuple[Any, Any], batches: tuple, shared: Any
    ) -> tuple[TrainingState, Metrics]:
        targets, opt_state = reused
        state = kept._replace(target_params=targets, opt_state=opt_state)
        return _update_in_turn(update, state, batches, shared, unroll)

    if len(devices) == 1:
        compiled = jax.jit(run, donate_argnums=1)
    else:
        replicated, sharded = _replicated(devices), _sharded(devices)
        compiled = jax.jit(
            run,
            in_shardings=(replicated, replicated, sharded, replicated),
            out_shardings=replicated,
            donate_argnums=1,
        )

    def call(
        state: TrainingState, batches: tuple, shared: Any
    ) -> tuple[TrainingState, Metrics]:
        kept = state._replace(target_params={}, opt_state={})
        reused = (state.target_params, state.opt_state)
        return compiled(kept, reused, batches, shared)

    return call


def _update_in_turn(
    update: SharedUpdate,
    state: TrainingState,
    batches: tuple,
    shared: Any,
    unroll: bool,
) -> tuple[TrainingState, Metrics]:
    """Updates with each batch; returns the metrics of the last one."""
    if unroll or len(batches) == 1:
        for batch in batches:
            state, metrics = update(state, batch, shared)
        return state, metrics
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *batches)
    state, metrics = jax.lax.scan(
        lambda state, batch: update(state, batch, shared), state, stacked
    )
    return state, jax.tree.map(lambda leaf: leaf[-1], metrics)


def replicate(tree: Any, *, copy: bool = False) -> Any:
    """Puts the whole of `tree`, equal in all processes, on each device.

    Args:
        tree: arrays.
        copy: whether to copy arrays that lie there already; a state must be copied
            before updates reuse its memory, see `compile_update`.
    """
    devices = jax.devices()
    alias = False if copy else None
    if len(devices) == 1:
        return jax.device_put(tree, may_alias=alias)
    place = _replicated(devices)
    if jax.process_count() == 1:
        return jax.device_put(tree, place, may_alias=alias)
    return jax.tree.map(lambda leaf: _assemble(leaf, place, 1), local(tree))


def zeros(kind: jax.ShapeDtypeStruct) -> jax.Array:
    """An array of zeros, whole on each device, that never was on the host."""
    every = jax.devices()
    where = _replicated(every) if len(every) > 1 else None
    make = jax.jit(lambda: jnp.zeros(kind.shape, kind.dtype), out_shardings=where)
    return make()


def place(batch: Any) -> Any:
    """Puts a batch `[B, ...]` where an update reads it; as it is if others share it."""
    if jax.process_count() > 1:
        return batch
    devices = jax.devices()
    if len(devices) == 1:
        return jax.device_put(batch)
    return jax.device_put(batch, _sharded(devices))


def share(batch: Any) -> Any:
    """The batch `[B, ...]` of which each of K processes gives its rows `[B/K, ...]`."""
    ranks = jax.process_count()
    if ranks == 1:
        return batch
    place = _sharded(jax.devices())
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


def _sharded(devices: Sequence[Any]) -> NamedSharding:
    return NamedSharding(Mesh(devices, ("data",)), PartitionSpec("data"))
