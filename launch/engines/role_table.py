"""Keeps the table of a program's roles: where each runs, how often it was restarted."""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from launch.engines.supervisor import Link, Role
from launch.roles.roster import Member
from launch.runs import roles

_PERIOD_SECONDS = 2.0
_WINDOW_SECONDS = 20.0  # over which steps/s are measured
_WAIT_SECONDS = 10.0  # for a place, after which a role is no member of the run


@contextlib.contextmanager
def kept(directory: Path, members: Sequence[Role], link: Link) -> Iterator[None]:
    """Context manager: a thread writes the table of a program meanwhile.

    Args:
        directory: the run directory.
        members: the roles of the program, which its supervisor changes.
        link: to the coordinator; closed in the end.
    """
    done = threading.Event()
    table = Table(directory, members, link)

    def keep() -> None:
        while not done.wait(_PERIOD_SECONDS):
            table.update(time.monotonic())

    thread = threading.Thread(target=keep, name="role table", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        table.write()
        link.close()


class Table:
    """The table of one program."""

    def __init__(self, directory: Path, members: Sequence[Role], link: Link):
        """Writes nothing yet; see `kept` for the arguments."""
        self._directory = directory
        self._members = members
        self._link = link
        self._history = deque[tuple[float, dict[str, int]]]()
        self._waiting: dict[str, float] = {}

    def update(self, now: float) -> None:
        """Measures, tells the coordinator who waits for a place, and writes the table.

        Args:
            now: seconds on a clock that never goes back.
        """
        roster = self._link.roster()
        if roster.members:
            self._tell_waiting(now)
            steps = {
                name: Member(*member).steps for name, member in roster.members.items()
            }
            self._history.append((now, steps))
            while now - self._history[0][0] > _WINDOW_SECONDS:
                self._history.popleft()
        self.write()

    def _tell_waiting(self, now: float) -> None:
        """A role that Ray cannot place must not keep the run from ending.

        It joins again when it has a place.
        """
        for role in list(self._members):
            if role.handle.host:
                self._waiting.pop(role.name, None)
                continue
            since = self._waiting.setdefault(role.name, now)
            if since <= now - _WAIT_SECONDS:
                self._waiting[role.name] = float("inf")  # told once
                self._link.lost(role.name)

    def write(self) -> None:
        """Writes the table as it is."""
        roles.write(self._directory, [self._row(role) for role in list(self._members)])

    def _row(self, role: Role) -> roles.Row:
        handle = role.handle
        return roles.Row(
            role.name, handle.host, handle.pid, role.life, self._rate(role)
        )

    def _rate(self, role: Role) -> float:
        """Steps/s of an actor within the last seconds; 0 for other roles."""
        if len(self._history) < 2:
            return 0.0
        (began, before), (ended, after) = self._history[0], self._history[-1]
        done = after.get(role.name, 0) - before.get(role.name, 0)
        return max(done, 0) / (ended - began)
