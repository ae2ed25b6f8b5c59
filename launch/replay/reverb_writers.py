"""Writers to a Reverb table that wait for it without missing a stop.

Importing this module imports Reverb.
"""

import ctypes
import time
from collections.abc import Callable
from typing import Any

import reverb

# Milliseconds between two checks for a stop while waiting for the table.
_POLL_MS = 500


class Writers:
    """Structured writers of one actor to a table.

    While the table wants samples first, or is full, a flush waits.

    Attributes:
        waited_seconds: time spent waiting for the server so far.
    """

    def __init__(
        self,
        client: reverb.Client,
        config: reverb.structured_writer.Config,
        number: int,
        stop: Callable[[], bool],
    ):
        """Connects.

        Args:
            client: of the server that holds the table.
            config: which items each writer makes.
            number: of writers.
            stop: returns whether to stop waiting; items not stored by then are lost.
        """
        self._stop = stop
        self._stopped = False
        self.waited_seconds = 0.0
        self._writers = [client.structured_writer([config]) for _ in range(number)]
        # Destroying a writer blocks while the table holds back its items, for as long
        # as the server lives: an actor would never exit. This reference keeps a writer
        # alive until it has flushed.
        for writer in self._writers:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(writer))

    def append(self, index: int, step: Any) -> None:
        """Gives a step to a writer, which may make an item of it."""
        self._writers[index].append(step)

    def flush(self, most: int) -> None:
        """Waits until each writer has at most `most` unconfirmed items, or a stop."""
        for writer in self._writers:
            self._flush(writer, most)

    def close(self) -> None:
        """Waits until all items are stored, or for a stop, and closes the writers."""
        while self._writers:
            writer = self._writers.pop()
            if self._flush(writer, 0):
                ctypes.pythonapi.Py_DecRef(ctypes.py_object(writer))

    def _flush(
        self, writer: reverb.structured_writer.StructuredWriter, most: int
    ) -> bool:
        """Waits until at most `most` items are pending; False if stopped first.

        After a stop it hardly waits: many writers must not each wait in turn.
        """
        began = time.monotonic()
        try:
            while True:
                try:
                    patience = 1 if self._stopped else _POLL_MS
                    writer.flush(most, timeout_ms=patience)
                    return True
                except reverb.errors.DeadlineExceededError:
                    self._stopped = self._stopped or self._stop()
                    if self._stopped:
                        return False
        finally:
            self.waited_seconds += time.monotonic() - began
