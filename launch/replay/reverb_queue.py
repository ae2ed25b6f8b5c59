"""A queue for runs with separate actor and learner processes: a Reverb table, in order.

Each transition is used once, the oldest first. Actors wait while the queue is full, and
for the server to confirm each item; the learner takes a batch only when it needs one.
So no more than `capacity` transitions, and one of each environment, are older than the
newest parameters.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import reverb

from agents.parts.contract import Spec, Storage, Transition
from launch.replay import reverb_store
from launch.replay.limiter import TABLE
from launch.replay.rows import Row, decode

_POLL_SECONDS = 0.002  # between two looks whether a batch is complete
_SHORTEST_ANSWER = 1  # seconds that the server may take to answer


class ReverbQueueReader:
    """Iterator over batches of transitions, until a stop; holds no batch in advance.

    Args:
        server_address: of the server that holds the table, `host:port`.
        storage: as the table was made with.
        spec: of one environment; frames are stacked along the first axis.
        frame_stack: S, frames in one observation; 1 if they are not stacked.
        stop: returns whether to end the iteration; called at least once a second.
        extras: as the table was made with.
    """

    def __init__(
        self,
        server_address: str,
        storage: Storage,
        spec: Spec,
        *,
        frame_stack: int,
        stop: Callable[[], bool],
        extras: Any = (),
    ):
        self._batch_size = storage.batch_size
        self._frame_stack = frame_stack
        self._stop = stop
        self._client = reverb.Client(server_address)
        self._signature = reverb_store.signature(storage, spec, frame_stack, extras)
        self._row_structure = jax.tree.structure(self._signature)
        self._extras_structure = jax.tree.structure(extras)

    def __iter__(self) -> Iterator[Transition]:
        return self

    def __next__(self) -> Transition:
        """Next batch, the oldest transitions.

        Raises:
            StopIteration: once `stop()` is true.
        """
        while not self._stop():
            if self._holds_a_batch():
                return self._take()
            time.sleep(_POLL_SECONDS)
        raise StopIteration

    def empty(self) -> Transition:
        """A made-up batch of zeros."""
        leaves = [
            np.zeros((self._batch_size, *leaf.shape), leaf.dtype.as_numpy_dtype)
            for leaf in jax.tree.leaves(self._signature)
        ]
        return self._decode(leaves)

    def _holds_a_batch(self) -> bool:
        """Whether a batch can be taken without waiting for actors."""
        try:
            info = self._client.server_info(timeout=_SHORTEST_ANSWER)[TABLE]
        except reverb.errors.DeadlineExceededError:
            return False
        return info.current_size >= self._batch_size

    def _take(self) -> Transition:
        samples = self._client.sample(TABLE, self._batch_size, emit_timesteps=False)
        columns = zip(*(sample.data for sample in samples), strict=True)
        return self._decode([np.stack(column) for column in columns])

    def _decode(self, leaves: list[np.ndarray]) -> Transition:
        rows: Row = jax.tree.unflatten(self._row_structure, leaves)
        extras = jax.tree.unflatten(self._extras_structure, rows.extras)
        return decode(*rows[:-1], extras, frame_stack=self._frame_stack)
