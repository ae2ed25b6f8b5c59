"""Measures how long actors and learners wait for each other."""

import time
from typing import Any, Protocol

_TURNS_SECONDS = 1.0  # interval over which turns are added up


class UpdateClock(Protocol):
    """Callbacks of a learner for the arrival of batches and the start of updates."""

    def fetched(self, asked: float, running: Any) -> None:
        """A batch has arrived; see `IdleClock.fetched`."""

    def dispatched(self, running: Any) -> None:
        """An update is under way, of which `running` is a result."""


class IdleClock:
    """Adds up the time between the end of an update and the arrival of its next batch.

    Updates run while the next batch is fetched, so the device is idle only from the end
    of an update until the batch arrives. The end is computed from the duration of
    updates, for which one update after each `reset` is timed.
    """

    def __init__(self) -> None:
        self._update_seconds = 0.0
        self._dispatched = time.monotonic()
        self._timed = False
        self.idle_seconds = 0.0

    def reset(self) -> None:
        """Begins a new sum; the next update will be timed."""
        self.idle_seconds = 0.0
        self._timed = False

    def fetched(self, asked: float, running: Any) -> None:
        """A batch has arrived.

        Args:
            asked: `time.monotonic()` when the batch was requested.
            running: `jax.Array`, a result of the update under way.
        """
        if not running.is_ready():
            return
        ended = self._dispatched + self._update_seconds
        self.idle_seconds += max(0.0, time.monotonic() - max(asked, ended))

    def dispatched(self, running: Any) -> None:
        """An update is under way, of which this is a result."""
        self._dispatched = time.monotonic()
        if not self._timed:
            running.block_until_ready()
            self._update_seconds = time.monotonic() - self._dispatched
            self._timed = True


class Turns:
    """Idle shares of an actor and a learner of a local run.

    If they take turns, one waits while the other works. If the learner computes in a
    thread, the actor waits only for an update that takes longer than acting.
    """

    def __init__(self, overlap: bool = False) -> None:
        """Begins to measure.

        Args:
            overlap: whether the learner computes in a thread.
        """
        self._overlap = overlap
        self._clock = IdleClock()
        self.begin()

    def begin(self) -> None:
        """Begins a new interval; earlier time no longer counts."""
        self._clock.reset()
        self._updates = 0
        self._actor_waited = 0.0
        self._began = time.monotonic()

    def fetched(self, asked: float, running: Any) -> None:
        """A batch has arrived; see `IdleClock.fetched`.

        The learner counts as waiting since its last update: the actor acted meanwhile.
        """
        self._actor_waited += time.monotonic() - asked
        self._clock.fetched(self._began, running)

    def dispatched(self, running: Any) -> None:
        """An update is under way, of which this is a result."""
        self._clock.dispatched(running)
        self._updates += 1

    def waiting(self) -> dict[str, float] | None:
        """Share of time that each role waited, about once a second; otherwise None."""
        seconds = time.monotonic() - self._began
        if seconds < _TURNS_SECONDS:
            return None
        idle = self._clock.idle_seconds if self._updates else seconds
        learner, actor = idle / seconds, 1 - idle / seconds
        if self._overlap:
            actor = self._actor_waited / seconds
        self.begin()
        return {"learner": learner, "actor/0": actor}
