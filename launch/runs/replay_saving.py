"""Saves the replay while another thread waits, which may give up waiting."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from launch.runs import checkpoint_files
from launch.runs.checkpoint_files import Files

_POLL_SECONDS = 0.02


class Content(Protocol):
    """Something that can be saved, such as `launch.roles.batches.Batches`."""

    def save(self, path: Path) -> None:
        """Writes the content to a new directory."""

    def stored(self) -> int:
        """Transitions that `save` would write."""


class ReplaySaver:
    """Saves a replay, and measures how long that takes.

    Attributes:
        rate: transitions saved per second, of the last save; 0 if there was none.
    """

    def __init__(self, content: Content):
        """Measures nothing yet.

        Args:
            content: the replay.
        """
        self._content = content
        self.rate = 0.0

    def begin(self, path: Path) -> "Saving":
        """Begins to save to a new directory, in another thread."""
        return Saving(path, self._save)

    def seconds(self) -> float:
        """How long a save would take now; 0 if that is not known.

        Raises:
            OSError: the replay does not answer.
        """
        return self._content.stored() / self.rate if self.rate else 0.0

    def _save(self, path: Path) -> Files:
        began = time.monotonic()
        stored = self._content.stored()
        self._content.save(path)
        files = checkpoint_files.measure(path)
        if stored:
            self.rate = stored / max(time.monotonic() - began, 1e-9)
        return files


class Saving:
    """A save that is under way in another thread.

    Attributes:
        path: the directory that it writes.
    """

    def __init__(self, path: Path, save: Callable[[Path], Files]):
        """Begins.

        Args:
            path: a new directory.
            save: writes it, and returns its files.
        """
        self.path = path
        self._save = save
        self._files: Files = {}
        self._error: BaseException | None = None
        # A daemon: a process that gives up waiting can end.
        self._thread = threading.Thread(target=self._run, name="replay", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._files = self._save(self.path)
        except BaseException as error:
            self._error = error

    def ended(self, give_up: Callable[[], bool]) -> bool:
        """Waits for the end; returns False if `give_up` becomes true before."""
        while self._thread.is_alive():
            if give_up():
                return False
            self._thread.join(_POLL_SECONDS)
        return True

    def files(self) -> Files:
        """The files that were written; the save must have ended.

        Raises:
            BaseException: the error with which the save failed.
        """
        if self._error is not None:
            raise self._error
        return self._files
