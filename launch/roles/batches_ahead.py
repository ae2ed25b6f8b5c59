"""Draws batches in a thread and puts them on the device while the learner computes."""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from agents.parts.contract import Params, Transition
from launch import devices
from launch.roles.batches import Batches, EndingBatches

DEPTH = 2  # batches at least that wait for the learner, in addition to the one drawn


class BatchesAhead:
    """Gives the batches of another source, in its order, each once.

    For sources that draw whenever they may: a replay server, whose rate limiter counts
    what has left it, and a dataset. Batches that wait at a checkpoint are not saved: a
    resumed run draws others from a server, and the same ones from a dataset.

    Attributes:
        source: the other source; only the thread calls its `next`.
    """

    def __init__(self, source: Batches, updates_per_call: int = 1):
        """Starts no thread yet.

        Args:
            source: the other source.
            updates_per_call: K; if K batches wait, all K are owed at once.
        """
        self.source = source
        self._many = updates_per_call
        self._depth = max(DEPTH, updates_per_call)
        self._waiting: deque[Any] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._end: BaseException | None = None  # why no further batch comes
        self._thread: threading.Thread | None = None

    @property
    def shared(self) -> Any:
        """Data that every update reads, the source's."""
        return self.source.shared

    def prepare(self, params: Params, tick: Callable[[], None]) -> None:
        """Prepares the source, and begins to draw."""
        self.source.prepare(params, tick)
        self._thread = threading.Thread(target=self._draw, name="batches", daemon=True)
        self._thread.start()

    def owed(self) -> int:
        """K learner steps if K batches wait, else one."""
        return self._many if len(self._waiting) >= self._many else 1

    def next(self) -> Any:
        """The oldest waiting batch, on the device; waits for one.

        Raises:
            StopIteration: there will be no further batch.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._end is not None)
            if not self._waiting:
                assert self._end is not None
                raise self._end
            batch = self._waiting.popleft()
            self._changed.notify()
        return batch

    def empty(self) -> Any:
        """A made-up batch, if the source is one that may end before others."""
        source: EndingBatches = self.source  # type: ignore[assignment]
        return source.empty()

    def read(self, batch: Any, shared: Any) -> Transition:
        """The source's reading of its batch; jit-able."""
        return self.source.read(batch, shared)

    def progress(self) -> dict[str, Any]:
        """The state of the source."""
        return self.source.progress()

    def stored(self) -> int:
        """Transitions that `save` would write."""
        return self.source.stored()

    def save(self, path: Path) -> None:
        """Writes the content of the source to a new directory."""
        self.source.save(path)

    def restore(
        self, path: Path | None, progress: Mapping[str, Any], learner_steps: int
    ) -> None:
        """Continues from a checkpoint; only before `prepare`."""
        self.source.restore(path, progress, learner_steps)

    def close(self) -> None:
        """Closes the source, and waits until the thread has ended."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self.source.close()
        if self._thread is not None:
            self._thread.join()

    def _draw(self) -> None:
        """Draws until the source ends or fails, which `next` then raises."""
        try:
            while self._has_room():
                batch = devices.place(self.source.next())
                with self._changed:
                    self._waiting.append(batch)
                    self._changed.notify()
        except BaseException as error:
            with self._changed:
                self._end = error
                self._changed.notify()

    def _has_room(self) -> bool:
        """Waits until another batch may wait; False if there will be no need."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._closed or len(self._waiting) < self._depth
            )
            return not self._closed
