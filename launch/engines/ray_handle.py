"""One life of a role on a Ray cluster, as the supervisor sees it."""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray
from ray import exceptions

from launch.engines import process
from launch.engines.ray_role import Order, Report
from launch.roles.watchdog import RunningClock

_TAIL_LINES = 12
# Between two reports of one Ray actor. On a host with few cores each report takes time
# from the roles: six roles that report five times a second take a tenth of a core.
_REPORT_SECONDS = 1.0
_LOOK_SECONDS = 0.1  # between two looks whether a report has come
# Without an answer for so long, a life counts as lost: a busy host answers late, above
# all while it imports what it needs at first.
_SILENT_SECONDS = 25.0
_SILENT_AT_FIRST_SECONDS = 120.0
_KILL_SECONDS = 5.0


class RayHandle:
    """One life of a role; a `launch.engines.supervisor.Handle`.

    It begins when Ray has a place for it: until then it has no host.
    """

    def __init__(
        self, actor: Any, order: Order, log: Path, where: Callable[[str], str]
    ):
        """Asks Ray to start the role; waits for nothing.

        Args:
            actor: the Ray actor of this life, of `launch.engines.ray_role.RayRole`.
            order: what it starts.
            log: where new bytes of the log go.
            where: the name of a host, by its key.
        """
        self.host = ""
        self.pid = 0
        self.log = log
        log.touch()
        self._actor = actor
        self._where = where
        self._code: int | None = None
        self._offset = 0
        self._ended = False
        self._clock = RunningClock()
        self._heard = self._clock.now()
        self._due = 0.0
        self._place = actor.node.remote()
        self._pending = actor.start.remote(order)

    def poll(self) -> int | None:
        """The exit code, or minus the signal that killed it; None while it runs."""
        now = time.monotonic()
        if self._code is None and now >= self._due:
            self._due = now + _LOOK_SECONDS
            self._advance()
        return self._code

    def _advance(self) -> None:
        """Takes the report that has come, if one has; asks for the next one."""
        try:
            if not self.host:
                if not ray.wait([self._place], timeout=0)[0]:
                    return
                self.host = self._where(ray.get(self._place))
                self._heard = self._clock.now()
            if not ray.wait([self._pending], timeout=0)[0]:
                self._check_silence()
                return
            report: Report = ray.get(self._pending)
        except exceptions.ActorUnavailableError:
            self._check_silence()  # the network may come back
            self._pending = self._actor.poll.remote(self._offset)
            return
        except exceptions.RayActorError as error:
            self._lost(f"its Ray actor is gone: {_first_line(error)}")
            return
        except exceptions.RayError as error:  # it could not be started
            self._lost(_first_line(error))
            return
        self._take(report)

    def _take(self, report: Report) -> None:
        self._heard, self.pid = self._clock.now(), report.pid
        if report.log:
            with self.log.open("ab") as file:
                file.write(report.log)
            self._offset += len(report.log)
        if report.code is not None:
            self._end(report.code)
            return
        self._due = time.monotonic() + _REPORT_SECONDS
        self._pending = self._actor.poll.remote(self._offset)

    def _check_silence(self) -> None:
        silent = self._clock.now() - self._heard
        if silent > (_SILENT_SECONDS if self.pid else _SILENT_AT_FIRST_SECONDS):
            self._lost(f"no answer from its host for {silent:.0f} s")

    def _lost(self, reason: str) -> None:
        """Ends a life whose Ray actor or host is gone; says so in the log."""
        with self.log.open("a", encoding="utf-8") as file:
            print(f"munchausen: host {self.host or 'unknown'}: {reason}", file=file)
        self._end(-signal.SIGKILL)

    def _end(self, code: int) -> None:
        self._code = code
        ray.kill(self._actor)  # frees its place

    def signal(self, number: int) -> None:
        """Sends a signal to it; one that waits for a place ends at `END`."""
        if self.host:
            self._actor.signal.remote(int(number))
        elif number == process.END:
            self._end(0)

    def dump_stacks(self) -> None:
        """Makes it write the stacks of its threads to its log, if it can already."""
        if self.host:
            self._actor.dump_stacks.remote()

    def kill(self) -> None:
        """Kills it with all its children, and waits for its end."""
        if self._code is not None:
            return
        if self.host:
            ray.wait([self._actor.kill.remote()], timeout=_KILL_SECONDS)
        self._end(-signal.SIGKILL)

    def tail(self) -> list[str]:
        """The last lines of its log."""
        if not self.log.exists():
            return []
        return self.log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
