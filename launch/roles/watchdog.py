"""Ends a run without progress, with a diagnosis of which role waits for which."""

import contextlib
import faulthandler
import os
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from launch import errors
from launch.errors import Stalled

FILE = "stalled.txt"
ALIVE = ".alive"  # touched by the coordinator
_DIAGNOSIS_SECONDS = 60.0  # for which a coordinator may be too busy to touch it
_LOOK_SECONDS = 1.0  # between two looks of a local run's watchdog
_LONGEST_SECONDS = 5.0  # that count between two looks at the clock


class RunningClock:
    """Counts the seconds in which this process could run.

    A process that is suspended for minutes, or a machine that sleeps, is no stall: the
    time between two looks at the clock counts for `_LONGEST_SECONDS` at most.
    """

    def __init__(self) -> None:
        self._read = time.monotonic()
        self._seconds = 0.0

    def now(self) -> float:
        """Seconds so far, not negative; call it every second or more often."""
        read = time.monotonic()
        self._seconds += min(read - self._read, _LONGEST_SECONDS)
        self._read = read
        return self._seconds


class Watchdog:
    """Watches the reports of a program's roles.

    Attributes:
        saving: whether the learner writes a checkpoint, for which all may have to wait.
    """

    def __init__(self, seconds: float, directory: Path, servers: Mapping[str, str]):
        """Starts to wait for the first report.

        Args:
            seconds: time without any report after which the run counts as stalled;
                twice as long at start-up.
            directory: run directory, to which the diagnosis is written.
            servers: address of each Reverb server, `host:port`, by its name.
        """
        self._seconds = seconds
        self._directory = directory
        self._servers = servers
        self._clock = RunningClock()
        self._now = 0.0  # as of the last check
        self._moved: dict[str, float] = {}
        self.saving = False

    def moved(self, role: str) -> None:
        """Notes that a role has made progress."""
        self._moved[role] = self._now

    def check(self) -> None:
        """Writes a diagnosis and raises Stalled if no role reports progress."""
        (self._directory / ALIVE).touch()
        self._now = self._clock.now()
        if self.saving:
            self.moved("learner")
        if not self._silent():
            return
        diagnosis = "\n".join(self._diagnosis())
        if not self._silent():  # a role reported during the slow diagnosis
            return
        with (self._directory / FILE).open("w", encoding="utf-8") as file:
            print(diagnosis, file=file, flush=True)
            # Stacks of all roles that are threads; processes write them to their logs.
            faulthandler.dump_traceback(file)
        raise Stalled(diagnosis)

    def _silent(self) -> bool:
        last = max(self._moved.values(), default=self._seconds)
        return self._now - last >= self._seconds

    def _diagnosis(self) -> list[str]:
        now = self._now
        lines = [f"no progress for {self._seconds:.0f} seconds"]
        moved_at = dict(self._moved)
        for role, moved in sorted(moved_at.items(), key=lambda item: item[1]):
            lines.append(f"{role}: last progress {now - moved:.0f} seconds ago")
        if not moved_at:
            lines.append("no role has reported any progress since the start")
        for name in self._servers:
            lines += self._limiters(name)
        return lines

    def _limiters(self, name: str) -> list[str]:
        import reverb  # imported late: not needed otherwise

        from launch.replay import limiter

        try:
            return limiter.describe_all(reverb.Client(self._servers[name]), name)
        except (RuntimeError, reverb.errors.ReverbError) as error:
            return [f"the {name} does not answer: {' '.join(str(error).split())}"]


class Heartbeat:
    """Watches the coordinator, which watches all other roles, from the launcher."""

    def __init__(self, seconds: float, directory: Path):
        """Waits for a first sign of life; see `Watchdog` for the arguments."""
        self._seconds = seconds + _DIAGNOSIS_SECONDS
        self._directory = directory
        self._file = directory / ALIVE
        self._file.unlink(missing_ok=True)
        self._last = 0.0
        self._clock = RunningClock()
        self._since = seconds

    def check(self) -> None:
        """Raises RoleFailed if the coordinator has been silent for too long."""
        last = self._file.stat().st_mtime if self._file.exists() else 0.0
        now = self._clock.now()
        if last != self._last:
            self._last, self._since = last, now
        if now - self._since > self._seconds:
            text = f"coordinator/0 has shown no sign of life for {self._seconds:.0f} s"
            (self._directory / FILE).write_text(text + "\n", encoding="utf-8")
            raise errors.RoleFailed(text)


class LocalWatchdog:
    """Ends a process whose main thread hangs, and dumps the stacks of all threads."""

    def __init__(self, seconds: float, directory: Path):
        """Starts a thread that watches; see `Watchdog` for the arguments."""
        self._seconds = seconds
        self._path = directory / FILE
        self._clock = RunningClock()
        self._last = 0.0
        self._alive = True
        self._saving = False
        self._closed = threading.Event()
        self._thread = threading.Thread(
            target=self._watch, name="watchdog", daemon=True
        )
        self._thread.start()

    def alive(self) -> None:
        """Postpones the end; costs almost nothing."""
        self._alive = True

    @contextlib.contextmanager
    def saving(self) -> Iterator[None]:
        """Context manager for a checkpoint, which may take as long as it takes."""
        self._saving = True
        try:
            yield
        finally:
            self._alive, self._saving = True, False

    def _watch(self) -> None:
        period = min(_LOOK_SECONDS, self._seconds / 4)
        while not self._closed.wait(period):
            now = self._clock.now()
            if self._alive or self._saving:
                self._alive, self._last = False, now
            elif now - self._last >= self._seconds:
                with self._path.open("w", encoding="utf-8") as file:
                    faulthandler.dump_traceback(file)
                said = (
                    f"munchausen: the run made no progress for {self._seconds:g} s; "
                    f"the stacks of its threads are in {self._path}; continue it with "
                    f"--resume {self._path.parent}\n"
                )
                os.write(2, said.encode())  # sys.stderr may be locked by what hangs
                os._exit(1)

    def close(self) -> None:
        """Ends the watch."""
        self._closed.set()
        self._thread.join()
