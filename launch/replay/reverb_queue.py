"""Batches from the queues of all actors, for the learner of a run in several processes.

Each actor has its queue, a Reverb table. An actor waits until the server has confirmed
its transitions before it fetches parameters again. The learner takes a batch only when
it needs one, and equal parts of it from all queues: it waits for a slow actor, which no
other actor can overtake.

That bounds how old a transition is when it is used. Let C be the capacity of all queues
together, N the environments of each of A actors and B the batch size; A divides both C
and B.
An actor that fetches parameters has at most C/A transitions in its queue, and the
learner holds at most B/A of its transitions. So the last of the N transitions that it
makes next is used at most ceil((C + A N) / B) learner steps later.

Importing this module imports neither Reverb nor TensorFlow.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from agents.parts.contract import Params, Storage, Transition
from launch.replay import QUEUED, shards
from launch.replay.rows import decode

_POLL_SECONDS = 0.002  # between two looks into a queue
_POLLS = 100  # looks between two questions whether its actor still acts
_ANSWER_SECONDS = 5  # for the server's answer to a small question


def make_queues(storage: Storage, *, actors: int, queues: Iterable[int]) -> list[Any]:
    """Tables of a Reverb server of a run with a queue for each actor.

    An item is removed when it is sampled, the oldest first; inserts into a full table
    wait.

    Args:
        storage: of all queues together.
        actors: number of actors, and of queues on all servers.
        queues: indices of the actors that store into this server.
    """
    import reverb  # imported in the process that needs it

    return [
        reverb.Table.queue(
            shards.queue_name(index),
            shards.storage_of(storage, index, actors).capacity,
        )
        for index in queues
    ]


class QueueBatches:
    """Yields batches until the run stops, or the actors have ended and none comes.

    Attributes:
        shared: None, as an update reads nothing but its batch.
    """

    shared = None

    def __init__(
        self,
        addresses: Sequence[str],
        storage: Storage,
        *,
        frame_stack: int,
        stop: Callable[[], bool],
        acting: Callable[[int], bool],
        extras: Any = (),
    ):
        """Makes no connection yet.

        Args:
            addresses: of the server that holds each actor's queue, `host:port`.
            storage: of all queues together.
            frame_stack: S, frames in one observation; 1 if they are not stacked.
            stop: returns whether the run stops; called at least once a second.
            acting: `(index) -> bool`, whether this actor still acts; called when its
                queue has too few transitions.
            extras: spec of the extras that are stored with one action, see
                `launch.build.make_extras_spec`.
        """
        self._addresses = addresses
        self._batch_size = storage.batch_size
        self._frame_stack = frame_stack
        self._stop = stop
        self._acting = acting
        self._extras_structure = jax.tree.structure(extras)
        self._clients: list[Any] = []
        self._ended = set[int]()  # queues whose actors had ended
        self._taken: list[Any] = []  # transitions that are not a batch yet

    def prepare(self, params: Params, tick: Callable[[], None]) -> None:
        """Connects to the servers."""
        import reverb

        del params, tick
        self._clients = [reverb.Client(each) for each in self._addresses]

    def owed(self) -> int:
        """Always one: `next` waits for the actors."""
        return 1

    def next(self) -> Transition:
        """The oldest transitions of each queue.

        If an actor has ended, the other queues give its part.

        Raises:
            StopIteration: the run stops, or the actors have ended and too few
                transitions are left.
        """
        queues = range(len(self._clients))
        for index in queues:
            self._take(index, self._batch_size // len(queues))
        for index in queues:
            self._take(index, self._batch_size - len(self._taken))
        if len(self._taken) < self._batch_size:
            raise StopIteration
        batch = self._taken[: self._batch_size]
        self._taken = self._taken[self._batch_size :]
        frame, action, reward, discount, steps, *extras = map(
            np.stack, zip(*batch, strict=True)
        )
        return decode(
            frame,
            action,
            reward,
            discount,
            steps,
            jax.tree.unflatten(self._extras_structure, extras),
            frame_stack=self._frame_stack,
        )

    def read(self, batch: Transition, shared: None) -> Transition:
        """The batch itself."""
        del shared
        return batch

    def progress(self) -> dict[str, Any]:
        """Kind of the store, and how many transitions a resumed run loses."""
        queued = sum(self._size(index) for index in range(len(self._clients)))
        return {"store": "reverb", QUEUED: len(self._taken) + queued}

    def stored(self) -> int:
        """None: they would be too old when the run resumes."""
        return 0

    def save(self, path: Path) -> None:
        """Makes an empty directory."""
        path.mkdir()

    def restore(
        self, path: Path | None, progress: Mapping[str, Any], learner_steps: int
    ) -> None:
        """Does nothing: the queues start empty."""

    def close(self) -> None:
        """Ends the connections."""
        self._clients = []

    def _take(self, index: int, wanted: int) -> None:
        """Takes as many transitions of a queue; fewer if its actor has ended.

        Raises:
            StopIteration: the run stops.
        """
        size = min(self._await(index, wanted), wanted) if wanted > 0 else 0
        if size:
            samples = self._clients[index].sample(
                shards.queue_name(index), size, emit_timesteps=False
            )
            self._taken += [sample.data for sample in samples]

    def _await(self, index: int, wanted: int) -> int:
        """Waits for as many transitions in a queue, or its actor's end; their number.

        Raises:
            StopIteration: the run stops.
        """
        while not self._stop():
            for _ in range(1 if index in self._ended else _POLLS):
                size = self._size(index)
                if size >= wanted:
                    return size
                time.sleep(_POLL_SECONDS)
            if not self._acting(index):
                self._ended.add(index)
                # The actor stored its last transitions before it ended.
                return self._size(index)
            self._ended.discard(index)  # it was started again
        raise StopIteration

    def _size(self, index: int) -> int:
        """Transitions in a queue; 0 if the server does not answer."""
        import reverb

        try:
            info = self._clients[index].server_info(timeout=_ANSWER_SECONDS)
        except reverb.errors.DeadlineExceededError:
            return 0
        return info[shards.queue_name(index)].current_size
