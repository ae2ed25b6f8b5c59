"""The dataset as a store: rows drawn uniformly, the same ones at the same step.

It has no state. Which rows a learner step gets depends on the seed and its number only,
so a run that is resumed sees what it would have seen.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from agents.parts.types import Lookup, Params, Transition

# Of an accelerator's memory; the rest is for networks, activations and tables.
_DEVICE_SHARE = 0.5


class DatasetStore:
    """Batches of a dataset.

    Args:
        transitions: of the whole dataset, leaves `[M, ...]`, numpy.
        batch_size: B.
        seed: of the sampling.
        on_device: whether the rows lie on the accelerator; None: if they fit.
    """

    def __init__(
        self,
        transitions: Transition,
        batch_size: int,
        seed: int,
        on_device: bool | None = None,
    ):
        self._size = len(transitions.reward)
        self._batch_size = batch_size
        self._seed = seed
        if on_device is None:
            on_device = _fits(transitions)
        self.on_device = on_device
        self._transitions = jax.device_put(transitions) if on_device else transitions
        self._tables: Any = None
        self._read = jax.jit(lambda tables, rows: ())
        self._take = jax.jit(
            lambda columns, rows: jax.tree.map(lambda column: column[rows], columns)
        )

    def attach(
        self,
        lookup: Lookup,
        params: Params,
        transitions: Transition,
        tick: Callable[[], None],
    ) -> None:
        """From now on, batches have the extras that an agent looks up.

        Args:
            lookup: the agent's.
            params: of the networks that an earlier stage learned.
            transitions: those of this store, numpy.
            tick: called now and then while it builds.
        """
        self._tables = jax.device_put(lookup.build(params, transitions, tick))
        self._read = jax.jit(lookup.read)

    def rows(self, step: int) -> np.ndarray:
        """The rows `[B]` int32 of learner step `step`, drawn with replacement."""
        # A step's stream is 2^128 numbers away from the next one's.
        bits = np.random.Philox(key=self._seed, counter=[0, 0, step, 0])
        return np.random.Generator(bits).integers(
            self._size, size=self._batch_size, dtype=np.int32
        )

    def sample(self, step: int) -> Transition:
        """The batch of learner step `step`; leaves are `[B, ...]`."""
        rows = self.rows(step)
        if self.on_device:
            batch = self._take(self._transitions, rows)
        else:
            batch = jax.tree.map(lambda column: column[rows], self._transitions)
        if self._tables is None:
            return batch
        return batch._replace(extras=self._read(self._tables, rows))


def _fits(transitions: Transition) -> bool:
    """Whether the first device has room; one that does not say is the host itself."""
    needed = sum(column.nbytes for column in jax.tree.leaves(transitions))
    statistics = jax.local_devices()[0].memory_stats() or {}
    limit = statistics.get("bytes_limit", math.inf)
    return needed + statistics.get("bytes_in_use", 0) <= _DEVICE_SHARE * limit
