"""Batches from a Reverb table, for the learner of a run in several processes.

Importing this module imports neither Reverb nor TensorFlow: a learner serves its first
parameters while these are imported.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from agents.parts.contract import Params, Spec, Storage, Transition

_STARVED_SECONDS = 2.0  # a batch on its way takes less


class ReverbBatches:
    """Yields batches until the run stops, or the actors have ended and none comes.

    Args:
        address: of the server that holds the table, `host:port`.
        storage: as the table was made with.
        spec: of one environment; frames are stacked along the first axis.
        frame_stack: S, frames in one observation; 1 if they are not stacked.
        stop: returns whether the run stops; called at least once a second.
        acting: returns whether any actor still acts; called when no batch comes.
        extras: as the table was made with.

    Attributes:
        shared: None, as an update reads nothing but its batch.
    """

    shared = None

    def __init__(
        self,
        address: str,
        storage: Storage,
        spec: Spec,
        *,
        frame_stack: int,
        stop: Callable[[], bool],
        acting: Callable[[], bool],
        extras: Any = (),
    ):
        self._address = address
        self._storage = storage
        self._spec = spec
        self._frame_stack = frame_stack
        self._stop = stop
        self._acting = acting
        self._extras = extras
        self._asked = 0.0
        self._reader: Any = None

    def prepare(self, params: Params, tick: Callable[[], None]) -> None:
        """Connects to the server."""
        from launch.replay import reverb_store

        self._reader = reverb_store.ReverbReader(
            self._address,
            self._storage,
            self._spec,
            frame_stack=self._frame_stack,
            stop=lambda: self._stop() or self._starved(),
            extras=self._extras,
        )

    def owed(self) -> int:
        """Always one: the server's rate limiter makes `next` wait."""
        return 1

    def next(self) -> Transition:
        """Next batch; its arrays are read-only.

        Raises:
            StopIteration: the run stops, or the actors have ended and no batch comes.
        """
        self._asked = time.monotonic()
        return next(self._reader)

    def read(self, batch: Transition, shared: None) -> Transition:
        """The batch itself."""
        del shared
        return batch

    def progress(self) -> dict[str, Any]:
        """The kind of store only: the rows are in the server's snapshot."""
        return {"store": "reverb"}

    def stored(self) -> int:
        """Transitions in the table.

        Raises:
            OSError: the server does not answer.
        """
        import reverb

        from launch.replay import snapshot

        return snapshot.stored(reverb.Client(self._address))

    def save(self, path: Path) -> None:
        """Has the server write its tables to a new directory.

        Raises:
            OSError: the server does not answer, or cannot write.
        """
        import reverb

        from launch.replay import snapshot

        snapshot.save(reverb.Client(self._address), path)

    def restore(
        self, path: Path | None, progress: Mapping[str, Any], learner_steps: int
    ) -> None:
        """Does nothing: the server itself starts with the saved tables."""

    def close(self) -> None:
        """Stops requesting samples."""
        self._reader = None

    def _starved(self) -> bool:
        """Whether no batch has come for a while and, without actors, none will."""
        waited = time.monotonic() - self._asked
        return waited > _STARVED_SECONDS and not self._acting()
