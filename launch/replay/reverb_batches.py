"""Batches from a Reverb table, for the learner of a program.

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
    """Batches until the run stops, or until no experience is left or coming.

    Args:
        address: of the server that holds the table, `host:port`.
        storage: as the table was made with.
        spec: of one environment; observations have their stack first.
        frame_stack: S, frames in one observation; 1 if they are not stacked.
        stop: whether the run stops, asked at least once a second.
        acting: whether experience is still coming, asked when none comes.
        extras: as the table was made with.

    Attributes:
        shared: None: an update reads its batch only.
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
            StopIteration: the run stops, or no experience is left or coming.
        """
        self._asked = time.monotonic()
        return next(self._reader)

    def read(self, batch: Transition, shared: None) -> Transition:
        """The batch itself."""
        del shared
        return batch

    def progress(self) -> dict[str, Any]:
        """That the run is a program's: its rows are in the server's snapshot."""
        return {"store": "reverb"}

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
        """Does nothing: the server starts with what was saved."""

    def close(self) -> None:
        """Asks for no more samples."""
        self._reader = None

    def _starved(self) -> bool:
        """Whether no batch comes and, the actors having ended, none ever will."""
        waited = time.monotonic() - self._asked
        return waited > _STARVED_SECONDS and not self._acting()
