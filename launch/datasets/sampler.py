"""Batches from a dataset: rows drawn uniformly, the same ones at the same step.

Nothing of the dataset is saved: which rows a learner step gets depends on the seed and
its number only, so a run that is resumed sees what it would have seen.
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
    """What every update reads from, whole on each device.

    Attributes:
        transitions: leaves `[M, ...]`; None: they are too large.
        tables: what the agent looks up; None: nothing.
    """

    transitions: Transition | None
    tables: Any


class Drawn(NamedTuple):
    """What a learner step reads.

    Attributes:
        rows: `[B]` int32, of the dataset.
        transitions: leaves `[B, ...]`, if they were read on the host; else None.
    """

    rows: np.ndarray
    transitions: Transition | None


class DatasetBatches:
    """Rows of a dataset, drawn for one learner step after another.

    The update reads its rows itself: rows, lookup and gradient step are one
    computation, where three would each wait for the one before.

    Args:
        dataset: prepared; transitions with leaves `[M, ...]`, numpy.
        agent: says how many rows a batch has, and what it looks up.
        seed: of the sampling.
        on_device: whether the rows lie on the accelerator; None: if they fit.

    Attributes:
        shared: what every update reads from; nothing before `prepare`.
        on_device: whether the rows will lie on the accelerator.
    """

    def __init__(
        self,
        dataset: Prepared,
        agent: Agent,
        seed: int,
        on_device: bool | None = None,
    ):
        self._transitions = dataset.transitions
        self._fingerprint = dataset.fingerprint
        self._size = len(self._transitions.reward)
        self._batch_size = agent.storage.batch_size
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
            params: of the networks that an earlier stage learned, among others.
            tick: called now and then while the tables are built.
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
        """What the next learner step reads."""
        rows = self.rows(self._step)
        self._step += 1
        return Drawn(rows, None if self.on_device else _take(self._transitions, rows))

    def rows(self, step: int) -> np.ndarray:
        """The rows `[B]` int32 of learner step `step`, drawn with replacement."""
        # A step's stream is 2^128 numbers away from the next one's. To move a generator
        # there takes less than half the time of making one.
        state: Any = self._start
        state["state"]["counter"][2] = step
        self._bits.state = state
        return self._integers(self._size, size=self._batch_size, dtype=np.int32)

    def read(self, batch: Drawn, shared: Shared) -> Transition:
        """The transitions, leaves `[B, ...]`, with what the agent looks up."""
        rows = jnp.asarray(batch.rows)
        transitions = batch.transitions
        if transitions is None:
            transitions = _take(shared.transitions, rows)
        if self._tables is not None:
            extras = self._tables.read(shared.tables, rows)
            transitions = transitions._replace(extras=extras)
        # Merged into the update, the reading costs BC more than the barrier does:
        # 1.34 ms a step for 1.30 (Hopper's shapes, two cores).
        return jax.lax.optimization_barrier(transitions)

    def progress(self) -> dict[str, Any]:
        """Which dataset the run learns from: it must be the same when it resumes."""
        return {"store": "dataset", FINGERPRINT: self._fingerprint}

    def save(self, path: Path) -> None:
        """Writes nothing: the dataset is where it was."""

    def restore(
        self, path: Path | None, progress: Mapping[str, Any], learner_steps: int
    ) -> None:
        """Continues with the rows of the step after `learner_steps`."""
        self._step = learner_steps

    def close(self) -> None:
        """Gives the device's memory back."""
        self.shared = Shared(None, None)


def _take(columns: Any, rows: Any) -> Any:
    return jax.tree.map(lambda column: column[rows], columns)


def _fits(transitions: Transition) -> bool:
    """Whether the first device has room; one that does not say is the host itself."""
    needed = sum(column.nbytes for column in jax.tree.leaves(transitions))
    statistics = jax.local_devices()[0].memory_stats() or {}
    limit = statistics.get("bytes_limit", math.inf)
    return needed + statistics.get("bytes_in_use", 0) <= _DEVICE_SHARE * limit
