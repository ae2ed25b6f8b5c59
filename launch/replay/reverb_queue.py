"""Queues of Reverb between the actors and the learner of a run in several processes.

Each actor has its queue, a table. Its items are chunks of up to K transitions of one
step of the actor's environments: an item costs time, whatever it holds. An actor waits
until the server has confirmed its transitions before it fetches parameters again. The
learner takes a batch only when it needs one, and equal parts of it from all queues: it
waits for a slow actor, which no other actor can overtake.

That bounds how old a transition is when it is used. Let C be the capacity of all queues
together, N the environments of each of A actors and B the batch size; A divides both C
and B, and K divides C/A, B/A and N.
An actor that fetches parameters has at most C/A transitions in its queue, and the
learner holds at most B/A of its transitions. So the last of the N transitions that it
makes next is used at most ceil((C + A N) / B) learner steps later.

Importing this module imports neither Reverb nor TensorFlow.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dm_env
import jax
import numpy as np

from agents.parts.contract import Params, Spec, Storage, Transition
from launch.replay import QUEUED, shards
from launch.replay.transitions import Transitions, transition_spec

if TYPE_CHECKING:
    import reverb

_POLL_SECONDS = 0.002  # between two looks into a queue
_POLLS = 100  # looks between two questions whether its actor still acts
_ANSWER_SECONDS = 5  # for the server's answer to a small question


def chunk_of(storage: Storage, actors: int, environments: int) -> int:
    """K, the transitions of an item.

    Args:
        storage: of all queues together.
        actors: A.
        environments: N, those of one actor.
    """
    capacity, batch = storage.capacity // actors, storage.batch_size // actors
    return math.gcd(capacity, batch, environments)


def make_queues(
    storage: Storage, *, actors: int, queues: Iterable[int], chunk: int
) -> "list[reverb.Table]":
    """Tables of a Reverb server of a run with a queue for each actor.

    An item is removed when it is sampled, the oldest first; inserts into a full table
    wait.

    Args:
        storage: of all queues together.
        actors: number of actors, and of queues on all servers.
        queues: indices of the actors that store into this server.
        chunk: K, see `chunk_of`.
    """
    import reverb  # imported in the process that needs it

    return [
        reverb.Table.queue(
            shards.queue_name(index),
            shards.storage_of(storage, index, actors).capacity // chunk,
        )
        for index in queues
    ]


class QueueAdder:
    """Sends the transitions of an actor's N environments to its queue."""

    def __init__(
        self,
        client: "reverb.Client",
        storage: Storage,
        spec: Spec,
        *,
        num_environments: int,
        table: str,
        chunk: int,
        stop: Callable[[], bool],
        extras: Any = (),
    ):
        """Connects.

        Args:
            client: of the server that holds the queue.
            storage: says whether truncated episodes are stored as terminated.
            spec: of one environment.
            num_environments: N, the number of lanes.
            table: name of the queue.
            chunk: K, see `chunk_of`.
            stop: returns whether to stop waiting; transitions that are not stored by
                then are lost.
            extras: spec of the extras that the policy returns with one action, see
                `launch.build.make_extras_spec`.
        """
        from launch.replay.reverb_writers import Writers

        self._transitions = Transitions(storage, spec, num_environments, extras)
        self._chunk = chunk
        leaves = len(jax.tree.leaves(self._transitions.spec))
        self._writers = Writers(client, _writer_config(leaves, table), 1, stop)

    @property
    def waited_seconds(self) -> float:
        """Time spent waiting for the server so far."""
        return self._writers.waited_seconds

    def observe_first(self, timestep: dm_env.TimeStep) -> None:
        """Begins an episode in every lane."""
        self._transitions.observe_first(timestep)

    def observe(
        self, actions: np.ndarray, timestep: dm_env.TimeStep, extras: Any = ()
    ) -> None:
        """Adds a step, and waits until the server has its transitions.

        What it does not have would be older than the queue's capacity allows.
        """
        found = self._transitions.observe(actions, timestep, extras)
        leaves, left = jax.tree.leaves(found), len(found.reward)
        while left:
            count = min(left, self._chunk)
            rows = [_padded(leaf[-left:][:count], self._chunk) for leaf in leaves]
            self._writers.append(0, (np.int32(count), *rows))
            left -= count
        self._writers.flush(0)

    def close(self) -> None:
        """Closes the writer."""
        self._writers.close()


def _padded(rows: np.ndarray, length: int) -> np.ndarray:
    """`[n, ...]` as `[length, ...]`; the last row is repeated."""
    return np.concatenate([rows, np.repeat(rows[-1:], length - len(rows), axis=0)])


def _writer_config(leaves: int, table: str) -> "reverb.structured_writer.Config":
    """Makes an item of each chunk: the number of its transitions, and their leaves."""
    import reverb

    names = tuple(f"leaf{index}" for index in range(leaves + 1))
    chunk = reverb.structured_writer.create_reference_step(names)
    return reverb.structured_writer.Config(
        flat=[leaf[-1] for leaf in chunk], table=table, priority=1.0, conditions=[]
    )


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
        spec: Spec,
        *,
        chunk: int,
        stop: Callable[[], bool],
        acting: Callable[[int], bool],
        extras: Any = (),
    ):
        """Makes no connection yet.

        Args:
            addresses: of the server that holds each actor's queue, `host:port`.
            storage: of all queues together.
            spec: of one environment.
            chunk: K, see `chunk_of`.
            stop: returns whether the run stops; called at least once a second.
            acting: `(index) -> bool`, whether this actor still acts; called when its
                queue has too few transitions.
            extras: spec of the extras that are stored with one action, see
                `launch.build.make_extras_spec`.
        """
        self._addresses = addresses
        self._batch_size = storage.batch_size
        self._chunk = chunk
        self._stop = stop
        self._acting = acting
        self._structure = jax.tree.structure(transition_spec(spec, extras))
        self._clients: list[Any] = []
        self._ended = set[int]()  # queues whose actors had ended
        # Leaves of transitions that are not a batch yet, in parts [n, ...].
        self._taken: list[list[np.ndarray]] = []

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
            self._take(index, self._batch_size - self._held())
        if self._held() < self._batch_size:
            raise StopIteration
        columns = [np.concatenate(parts) for parts in zip(*self._taken, strict=True)]
        size = self._batch_size
        self._taken = [[column[size:] for column in columns]]
        return jax.tree.unflatten(self._structure, [each[:size] for each in columns])

    def read(self, batch: Transition, shared: None) -> Transition:
        """The batch itself."""
        del shared
        return batch

    def progress(self) -> dict[str, Any]:
        """Kind of the store, and how many transitions a resumed run loses."""
        chunks = sum(self._size(index) for index in range(len(self._clients)))
        return {"store": "reverb", QUEUED: self._held() + chunks * self._chunk}

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

    def _held(self) -> int:
        """Transitions that are not a batch yet."""
        return sum(len(leaves[0]) for leaves in self._taken)

    def _take(self, index: int, wanted: int) -> None:
        """Takes as many transitions of a queue; fewer if its actor has ended.

        Raises:
            StopIteration: the run stops.
        """
        while wanted > 0:
            chunks = math.ceil(wanted / self._chunk)  # more, if some are not full
            size = min(self._await(index, chunks), chunks)
            if not size:
                return
            for leaves in self._fetch(index, size):
                self._taken.append(leaves)
                wanted -= len(leaves[0])

    def _fetch(self, index: int, size: int) -> Iterator[list[np.ndarray]]:
        """Yields the transitions of each of the oldest chunks of a queue."""
        samples = self._clients[index].sample(
            shards.queue_name(index), size, emit_timesteps=False
        )
        for sample in samples:
            count, *leaves = sample.data
            yield [leaf[: int(count)] for leaf in leaves]

    def _await(self, index: int, wanted: int) -> int:
        """Waits for as many chunks in a queue, or its actor's end; their number.

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
        """Chunks in a queue; 0 if the server does not answer."""
        import reverb

        try:
            info = self._clients[index].server_info(timeout=_ANSWER_SECONDS)
        except reverb.errors.DeadlineExceededError:
            return 0
        return info[shards.queue_name(index)].current_size
