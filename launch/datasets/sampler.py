"""Batches from a dataset: rows are drawn uniformly, given seed and learner step.

Checkpoints hold nothing of the dataset: the rows of a learner step depend only on the
seed and the step, so a resumed run draws the same rows as an uninterrupted one.
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from agents.parts.contract import Agent, Params, Transition
from launch import devices
from launch.datasets.normalization import FINGERPRINT, Prepared

# Of an accelerator's memory; the rest is for networks, activations and tables.
_DEVICE_SHARE = 0.5


class Shared(NamedTuple):
    """Data that every update reads, copied in full to each device.

    Attributes:
        transitions: leaves `[M, ...]`; None: they stay on the host.
        tables: the agent's lookup tables; None: the agent has none.
    """

    transitions: Transition | None
    tables: Any


class Drawn(NamedTuple):
    """The batch drawn for a learner step.

    Attributes:
        rows: `[B]` int32, indices of rows of the dataset.
        transitions: leaves `[B, ...]`, if they were read on the host; else None.
    """

    rows: np.ndarray
    transitions: Transition | None


class DatasetBatches:
    """Draws rows of a dataset for one learner step after another.

    The update reads its rows itself: reading, lookup and gradient step are one
    computation; as three, each would wait for the one before.

    Args:
        dataset: prepared; transitions with leaves `[M, ...]`, numpy.
        agent: gives the batch size and the lookup tables.
        seed: of the sampling.
        on_device: whether the rows lie on the accelerator; None: if they fit.
        part: (k, K): of each batch, this source gives the k-th of K equal parts.

    Attributes:
        shared: data that every update reads; empty before `prepare`.
        on_device: whether the rows will lie on the accelerator.
    """

    def __init__(
        self,
        dataset: Prepared,
        agent: Agent,
        seed: int,
        on_device: bool | None = None,
        part: tuple[int, int] = (0, 1),
    ):
        self._transitions = dataset.transitions
        self._fingerprint = dataset.fingerprint
        self._size = len(self._transitions.reward)
        self._batch_size = agent.storage.batch_size
        place, parts = part
        share = self._batch_size // parts
        self._part = slice(place * share, (place + 1) * share)
        self._tables = agent.tables
        self._step = 0
        bits = np.random.Philox(key=seed)
        self._bits, self._start = bits, bits.state
        self._integers = np.random.Generator(bits).integers
        self.on_device = _fits(self._transitions) if on_device is None else on_device
        self.shared = Shared(None, None)

    def prepare(self, params: Params, tick: Callable[[], None]) -> None:
        """Puts the rows on the device, if they fit, and builds the agent's tables.

        Args:
            params: of all networks, including those that an earlier stage learned.
            tick: called repeatedly while the tables are built.
        """
        placed = devices.replicate(self._transitions) if self.on_device else None
        tables = None
        if self._tables is not None:
            built = self._tables.build(params, self._transitions, tick)
            tables = devices.replicate(built)
        self.shared = Shared(placed, tables)

    def owed(self) -> int:
        """Always one."""
        return 1

    def next(self) -> Drawn:
        """Draws the batch of the next learner step, or this source's part of it."""
        rows = self.rows(self._step)[self._part]
        self._step += 1
        return Drawn(rows, None if self.on_device else _take(self._transitions, rows))

    def rows(self, step: int) -> np.ndarray:
        """The rows `[B]` int32 of learner step `step`, drawn with replacement."""
        # A step's stream is 2^128 numbers away from the next one's. Moving a generator
        # there takes less than half the time of making one.
        state: Any = self._start
        state["state"]["counter"][2] = step
        self._bits.state = state
        return self._integers(self._size, size=self._batch_size, dtype=np.int32)

    def read(self, batch: Drawn, shared: Shared) -> Transition:
        """The batch's transitions, leaves `[B, ...]`, with its rows of the tables."""
        rows = jnp.asarray(batch.rows)
        transitions = batch.transitions
        if transitions is None:
            transitions = _take(shared.transitions, rows)
        if self._tables is not None:
            extras = self._tables.read(shared.tables, rows)
            transitions = transitions._replace(extras=extras)
        # Without this barrier XLA merges the reading into the update, and BC takes
        # 1.34 ms a step instead of 1.30 (Hopper's shapes, two cores).
        return jax.lax.optimization_barrier(transitions)

    def progress(self) -> dict[str, Any]:
        """Identifies the dataset: a resumed run must learn from the same one."""
        return {"store": "dataset", FINGERPRINT: self._fingerprint}

    def stored(self) -> int:
        """Nothing: see `save`."""
        return 0

    def save(self, path: Path) -> None:
        """Writes nothing: a resumed run reads the dataset again."""

    def restore(
        self, path: Path | None, progress: Mapping[str, Any], learner_steps: int
    ) -> None:
        """Continues after `learner_steps` learner steps."""
        self._step = learner_steps

    def close(self) -> None:
        """Frees the device's memory."""
        self.shared = Shared(None, None)


def _take(columns: Any, rows: Any) -> Any:
    return jax.tree.map(lambda column: column[rows], columns)


def _fits(transitions: Transition) -> bool:
    """Whether the first device has room; if it reports no memory, it is the host."""
    needed = sum(column.nbytes for column in jax.tree.leaves(transitions))
    statistics = jax.local_devices()[0].memory_stats() or {}
    limit = statistics.get("bytes_limit", math.inf)
    return needed + statistics.get("bytes_in_use", 0) <= _DEVICE_SHARE * limit
