"""The dataset as a store: rows drawn uniformly, the same ones at the same step.

Nothing of it is saved: which rows a learner step gets depends on the seed and its
number only, so a run that is resumed sees what it would have seen.

The update reads its rows itself (`reading`): rows, lookup and gradient step are one
computation, where three would each wait for the one before.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np

from agents.parts import sgd
from agents.parts.contract import (
    Agent,
    Lookup,
    Metrics,
    Params,
    TrainingState,
    Transition,
    Update,
)

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


class DatasetStore:
    """Rows of a dataset, and what to read them from.

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
        bits = np.random.Philox(key=seed)
        self._bits, self._start = bits, bits.state
        self._integers = np.random.Generator(bits).integers
        self._transitions = transitions
        self.on_device = _fits(transitions) if on_device is None else on_device
        placed = sgd.replicate(transitions) if self.on_device else None
        self.shared = Shared(placed, None)

    def attach(
        self,
        lookup: Lookup,
        params: Params,
        tick: Callable[[], None],
    ) -> None:
        """From now on, there are tables in which an agent looks up.

        Args:
            lookup: the agent's.
            params: of the networks that an earlier stage learned.
            tick: called now and then while it builds.
        """
        tables = lookup.build(params, self._transitions, tick)
        self.shared = self.shared._replace(tables=sgd.replicate(tables))

    def rows(self, step: int) -> np.ndarray:
        """The rows `[B]` int32 of learner step `step`, drawn with replacement."""
        # A step's stream is 2^128 numbers away from the next one's. To move a generator
        # there takes less than half the time of making one.
        state: Any = self._start
        state["state"]["counter"][2] = step
        self._bits.state = state
        return self._integers(self._size, size=self._batch_size, dtype=np.int32)

    def draw(self, step: int) -> Drawn:
        """What learner step `step` reads."""
        rows = self.rows(step)
        return Drawn(rows, None if self.on_device else _take(self._transitions, rows))


def read(drawn: Drawn, shared: Shared, lookup: Lookup | None) -> Transition:
    """The batch, leaves `[B, ...]`, with what an agent looks up; jit-able."""
    rows = jnp.asarray(drawn.rows)
    batch = drawn.transitions
    if batch is None:
        batch = _take(shared.transitions, rows)
    if lookup is None:
        return batch
    return batch._replace(extras=lookup.read(shared.tables, rows))


def reading(agent: Agent) -> Agent:
    """The agent with an update that reads its batch: `(state, Drawn, Shared)`."""

    def update(
        state: TrainingState, drawn: Drawn, shared: Shared
    ) -> tuple[TrainingState, Metrics]:
        batch = read(drawn, shared, agent.lookup)
        # Merged into the update, the reading costs BC more than the barrier does:
        # 1.34 ms a step for 1.30 (Hopper's shapes, two cores).
        return agent.update(state, jax.lax.optimization_barrier(batch))

    return agent._replace(update=cast(Update, update))


def _take(columns: Any, rows: Any) -> Any:
    return jax.tree.map(lambda column: column[rows], columns)


def _fits(transitions: Transition) -> bool:
    """Whether the first device has room; one that does not say is the host itself."""
    needed = sum(column.nbytes for column in jax.tree.leaves(transitions))
    statistics = jax.local_devices()[0].memory_stats() or {}
    limit = statistics.get("bytes_limit", math.inf)
    return needed + statistics.get("bytes_in_use", 0) <= _DEVICE_SHARE * limit
