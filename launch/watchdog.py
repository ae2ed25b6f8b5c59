"""Ends a run in which nothing moves, and says who waits for whom."""

import faulthandler
import time
from pathlib import Path
from typing import Any

FILE = "stalled.txt"
_ARM_SECONDS = 1.0


class Stalled(Exception):
    """No role has reported progress for too long; the message says how each stands."""


class Watchdog:
    """Watches the reports of a program's roles."""

    def __init__(self, seconds: float, directory: Path, replay: Any):
        """Starts to wait for the first report.

        Args:
            seconds: without any report before the run counts as stalled; start-up takes
                twice as long.
            directory: run directory, to which the diagnosis goes.
            replay: address of the Reverb server.
        """
        self._seconds = seconds
        self._directory = directory
        self._replay = replay
        self._began = time.monotonic()
        self._moved: dict[str, float] = {}

    def moved(self, role: str) -> None:
        """Takes note of a role's progress."""
        self._moved[role] = time.monotonic()

    def check(self) -> None:
        """Raises Stalled, with a diagnosis in the run directory, if nothing moves."""
        last = max(self._moved.values(), default=self._began + self._seconds)
        if time.monotonic() - last < self._seconds:
            return
        diagnosis = "\n".join(self._diagnosis())
        (self._directory / FILE).write_text(diagnosis + "\n", encoding="utf-8")
        raise Stalled(diagnosis)

    def _diagnosis(self) -> list[str]:
        now = time.monotonic()
        lines = [f"nothing has moved for {self._seconds:.0f} seconds"]
        for role, moved in sorted(self._moved.items(), key=lambda item: item[1]):
            lines.append(f"{role}: last progress {now - moved:.0f} seconds ago")
        if not self._moved:
            lines.append("no role has reported any progress since the start")
        return [*lines, self._limiter()]

    def _limiter(self) -> str:
        # Imported now: Reverb brings TensorFlow along, which nobody else needs here.
        import reverb

        from launch.replay import limiter

        try:
            state = limiter.limiter_state(reverb.Client(self._replay.resolve()))
        except RuntimeError as error:
            return f"the replay does not answer: {error}"
        return limiter.describe(state)


class LocalWatchdog:
    """Ends a process whose only thread hangs, with a dump of where.

    The standard library's own watchdog thread does the work, without the interpreter.
    """

    def __init__(self, seconds: float, directory: Path):
        """Arms the watchdog; see `Watchdog` for the arguments."""
        self._seconds = seconds
        self._file = (directory / FILE).open("w", encoding="utf-8")
        self._armed = 0.0
        self.alive()

    def alive(self) -> None:
        """Postpones the end; costs nothing if called again within a second."""
        now = time.monotonic()
        if now - self._armed > _ARM_SECONDS:
            self._armed = now
            faulthandler.dump_traceback_later(self._seconds, exit=True, file=self._file)

    def close(self) -> None:
        """Disarms the watchdog."""
        faulthandler.cancel_dump_traceback_later()
        self._file.close()
        path = Path(self._file.name)
        if not path.stat().st_size:
            path.unlink()
