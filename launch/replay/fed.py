"""A store in the learner's process that the actors of a program feed through Reverb.

Reverb is only the way there, see `launch.replay.row_table`. Frames may be in the memory
of the learner's accelerator, see `launch.replay.frames`.

Importing this module imports neither Reverb nor TensorFlow.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from agents.parts.contract import Params, Storage, Transition
from launch.errors import RunDirectoryError
from launch.replay import QUEUED, row_table
from launch.replay.in_process import InProcess
from launch.replay.limiter import TABLE, error_buffer

_POLL_SECONDS = 0.002  # between two looks into the table
_POLLS = 250  # looks between two questions whether actors still act
_ANSWER_SECONDS = 5  # for the server's answer to a small question
_WAKE_SECONDS = 0.5  # between two checks for a stop


class Fed:
    """Yields batches until the run stops, or the actors have ended and none is owed.

    A thread fetches chunks. The learner's own thread stores their rows, and only before
    a turn: a batch refers to rows of the store, which must not change before its update
    has begun.

    Rows are stored as long as no more than `error_buffer` samples are owed, as a Reverb
    table would store them; then the actors wait.
    """

    def __init__(
        self,
        address: str,
        storage: Storage,
        store: InProcess,
        *,
        stop: Callable[[], bool],
        acting: Callable[[], bool],
        updates_per_call: int = 1,
    ):
        """Makes no connection yet.

        Args:
            address: of the server that holds the table, `host:port`.
            storage: of the store.
            store: with a lane for each environment of each actor.
            stop: returns whether the run stops; called at least once a second.
            acting: returns whether any actor still acts; called when no chunk comes.
            updates_per_call: K; so many batches at most are owed at once.
        """
        self._address = address
        self._store = store
        self._most = updates_per_call
        self._ahead = error_buffer(storage)
        self._rows = row_table.rows_of_chunk(storage)
        self._samples_per_insert = storage.samples_per_insert
        self._min_size = storage.min_size
        self._stop = stop
        self._acting = acting
        self._client: Any = None
        self._waiting: deque[Any] = deque()  # flat columns of chunks
        self._changed = threading.Condition()
        self._closed = False
        self._dry = False  # whether the actors have ended and the table is empty
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None

    @property
    def shared(self) -> Any:
        """The frames of the store."""
        return self._store.shared

    def prepare(self, params: Params, tick: Callable[[], None]) -> None:
        """Connects to the server, and begins to fetch."""
        import reverb

        del params, tick
        self._client = reverb.Client(self._address)
        self._thread = threading.Thread(target=self._fetch, name="rows", daemon=True)
        self._thread.start()

    def owed(self) -> int:
        """Stores the rows that have come, and returns how many batches are owed.

        The number is 1 to K. If no batch is owed yet, it is 1, and `next` waits.
        """
        self._store_waiting()
        return max(1, min(self._store.owed(), self._most))

    def next(self) -> Transition:
        """Samples a batch; waits until one is owed.

        Raises:
            StopIteration: there will be no further batch.
        """
        while not self._store.owed():
            with self._changed:
                while not self._waiting:
                    if self._error is not None:
                        raise self._error
                    if self._closed or self._stop() or self._dry:
                        raise StopIteration
                    self._changed.wait(_WAKE_SECONDS)
            self._store_waiting()
        return self._store.next()

    def read(self, batch: Transition, shared: Any) -> Transition:
        """The batch, with the frames that it refers to."""
        return self._store.read(batch, shared)

    def progress(self) -> dict[str, Any]:
        """State of the store, and about how many rows a resumed run loses."""
        chunks = len(self._waiting) + (self._size() if self._client else 0)
        rows = chunks * self._rows
        return {
            "store": "reverb",
            "rows": self._store.progress()["store"],
            QUEUED: rows,
        }

    def stored(self) -> int:
        """Transitions that can be sampled now."""
        return self._store.stored()

    def save(self, path: Path) -> None:
        """Writes the rows of the store; those that wait are dropped."""
        self._store.save(path)

    def restore(
        self, path: Path | None, progress: Mapping[str, Any], learner_steps: int
    ) -> None:
        """Continues with the rows that `save` wrote.

        Raises:
            RunDirectoryError: the rows do not fit this store, or they are those of a
                replay server.
        """
        if path is None:
            return
        if "rows" not in progress:
            raise RunDirectoryError(
                f"--replay must be host, as in the run that saved {path}: its rows are "
                "those of a replay server"
            )
        self._store.restore(path, {"store": progress["rows"]}, learner_steps)

    def close(self) -> None:
        """Waits until the thread has ended."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _store_waiting(self) -> None:
        """Stores the rows that wait, unless the actors are too far ahead."""
        stored = False
        while self._waiting and self._has_room():
            for lane, row in row_table.rows_of(self._waiting.popleft()):
                self._store.write(lane, row)
            stored = True
        if stored:
            with self._changed:
                self._changed.notify_all()

    def _has_room(self) -> bool:
        due = self._samples_per_insert * (self._store.inserted - self._min_size)
        return due - self._store.sampled <= self._ahead

    def _fetch(self) -> None:
        """Fetches chunks until the run stops."""
        try:
            for size in self._sizes():
                samples = self._client.sample(TABLE, size, emit_timesteps=False)
                self._waiting += [sample.data for sample in samples]
                with self._changed:
                    self._changed.notify_all()
        except BaseException as error:
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _sizes(self) -> Iterator[int]:
        """Yields how many chunks can be fetched, whenever there are some."""
        looks = 0
        while not (self._closed or self._stop()):
            with self._changed:
                room = row_table.MOST_CHUNKS - len(self._waiting)
                if not room:
                    self._changed.wait(_WAKE_SECONDS)
                    continue
            # An actor stores its last rows before it ends: ask first, then look.
            looks = (looks + 1) % _POLLS
            ended = not looks and not self._acting()
            size = min(self._size(), room)
            if size:
                yield size
                continue
            if ended:
                with self._changed:
                    self._dry = True
                    self._changed.notify_all()
            time.sleep(_POLL_SECONDS)

    def _size(self) -> int:
        """Chunks in the table; 0 if the server does not answer."""
        import reverb

        try:
            info = self._client.server_info(timeout=_ANSWER_SECONDS)
        except reverb.errors.DeadlineExceededError:
            return 0
        return info[TABLE].current_size
