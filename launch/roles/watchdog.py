"""Ends a run in which nothing moves, and says who waits for whom."""

import faulthandler
import time
from pathlib import Path

from launch import errors
from launch.errors import Stalled

FILE = "stalled.txt"
ALIVE = ".alive"  # touched by the coordinator
_DIAGNOSIS_SECONDS = 60.0  # in which a coordinator may be too busy to touch it
_ARM_SECONDS = 1.0


class Watchdog:
    """Watches the reports of a program's roles."""

    def __init__(self, seconds: float, directory: Path, replay: str | None):
        """Starts to wait for the first report.

        Args:
            seconds: without any report before the run counts as stalled; start-up takes
                twice as long.
            directory: run directory, to which the diagnosis goes.
            replay: address of the Reverb server, `host:port`; None if there is none.
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
        (self._directory / ALIVE).touch()
        if not self._silent():
            return
        diagnosis = "\n".join(self._diagnosis())
        if not self._silent():  # it took its time, and somebody moved meanwhile
            return
        with (self._directory / FILE).open("w", encoding="utf-8") as file:
            print(diagnosis, file=file, flush=True)
            # Of all roles if they are threads; processes write theirs to their logs.
            faulthandler.dump_traceback(file)
        raise Stalled(diagnosis)

    def _silent(self) -> bool:
        last = max(self._moved.values(), default=self._began + self._seconds)
        return time.monotonic() - last >= self._seconds

    def _diagnosis(self) -> list[str]:
        now = time.monotonic()
        lines = [f"nothing has moved for {self._seconds:.0f} seconds"]
        moved_at = dict(self._moved)
        for role, moved in sorted(moved_at.items(), key=lambda item: item[1]):
            lines.append(f"{role}: last progress {now - moved:.0f} seconds ago")
        if not moved_at:
            lines.append("no role has reported any progress since the start")
        return lines if self._replay is None else [*lines, self._limiter()]

    def _limiter(self) -> str:
        # Imported now: Reverb brings TensorFlow along, which nobody else needs here.
        import reverb

        from launch.replay import limiter

        try:
            state = limiter.limiter_state(reverb.Client(self._replay))
        except (RuntimeError, reverb.errors.ReverbError) as error:
            return f"the replay does not answer: {' '.join(str(error).split())}"
        return limiter.describe(state)


class Heartbeat:
    """Watches, from the launcher, the coordinator that watches everybody else."""

    def __init__(self, seconds: float, directory: Path):
        """Waits for a first sign of life; see `Watchdog` for the arguments."""
        self._seconds = seconds + _DIAGNOSIS_SECONDS
        self._directory = directory
        self._file = directory / ALIVE
        self._file.unlink(missing_ok=True)
        self._last = 0.0
        # By a clock that stands still while the machine sleeps.
        self._since = time.monotonic() + seconds

    def check(self) -> None:
        """Raises RoleFailed if the coordinator has been silent for too long."""
        last = self._file.stat().st_mtime if self._file.exists() else 0.0
        now = time.monotonic()
        if last != self._last:
            self._last, self._since = last, now
        if now - self._since > self._seconds:
            text = f"coordinator/0 has shown no sign of life for {self._seconds:.0f} s"
            (self._directory / FILE).write_text(text + "\n", encoding="utf-8")
            raise errors.RoleFailed(text)


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
