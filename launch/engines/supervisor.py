"""Watches the roles of a program: restarts some, and ends all of them in order.

The supervisor knows no engine: an engine gives it a function that starts a role.
"""

import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from launch import errors
from launch.engines import signals, stopping
from launch.engines.program import Node
from launch.engines.restarts import MOST_IN_AN_HOUR, NoRestart, Restarts
from launch.engines.signals import Caught
from launch.roles.roster import Roster
from launch.runs import events

# After a failure the program must end within 30 seconds. A learner whose replay is gone
# does not notice a stop; one whose coordinator is gone waits 10 seconds for an answer.
_FAILURE_GRACE_SECONDS = 12.0
_POLL_SECONDS = 0.05


class Handle(Protocol):
    """One life of a role, wherever it runs.

    Attributes:
        host: where it runs.
        pid: its process there.
        log: path of the log, in the run directory.
    """

    host: str
    pid: int
    log: Path

    def poll(self) -> int | None:
        """The exit code, or minus the signal that killed it; None while it runs."""

    def signal(self, number: int) -> None:
        """Sends a signal to its process."""

    def dump_stacks(self) -> None:
        """Makes it write the stacks of its threads to its log, if it can already."""

    def kill(self) -> None:
        """Kills it with all its children, and waits for its end."""

    def tail(self) -> list[str]:
        """The last lines of its log."""


# Starts one life of a role: (node, index of the replica, number of the life).
Start = Callable[[Node, int, int], Handle]


class Link(Protocol):
    """How the supervisor talks to the coordinator of the program."""

    def roster(self) -> Roster:
        """How far the run and its members are; an empty one if there is no answer."""

    def lost(self, name: str) -> None:
        """Tells that a member is gone for good."""

    def close(self) -> None:
        """Closes the connection."""


class NoLink:
    """The link of a program whose coordinator serves no calls."""

    def roster(self) -> Roster:
        """Nothing is known."""
        return Roster()

    def lost(self, name: str) -> None:
        """Does nothing."""

    def close(self) -> None:
        """Does nothing."""


class Rules(NamedTuple):
    """What the supervisor of one program must know.

    Attributes:
        directory: the run directory, for its events.
        at_least: number of actors that the program needs.
        check: called again and again; raises RoleFailed to end the program.
        grace: seconds between a scheduler's notice and the end of all processes.
    """

    directory: Path
    at_least: int = 1
    check: Callable[[], None] = lambda: None
    grace: float = 25.0


class Role:
    """A replica of a node, through all its lives.

    Attributes:
        node: the node.
        name: such as `learner` or `actor/3`.
        title: the name with its index in any case, as logs have it.
        life: number of its life, from 0.
        handle: of the newest life.
        due: when the next life begins; None: no restart is planned.
    """

    def __init__(self, node: Node, index: int, start: Start):
        """Starts the first life."""
        self.node = node
        self.title = f"{node.role}/{index}"
        self.name = node.role if node.replicas is None else self.title
        self.life = 0
        self.due: float | None = None
        self._index = index
        self._start = start
        self._restarts = None if node.restarts is None else Restarts(node.restarts)
        self._begin()

    def _begin(self) -> None:
        self._began = time.monotonic()
        self.handle = self._start(self.node, self._index, self.life)

    def runs(self) -> bool:
        """Whether a life is under way."""
        return self.handle.poll() is None

    def plan_restart(self, reported: bool) -> float:
        """Plans the next life; returns the seconds until then.

        Raises:
            NoRestart: the role is not started again.
        """
        if self._restarts is None:
            raise NoRestart("", misconfigured=True)
        now = time.monotonic()
        lived = now - self._began
        wait = self._restarts.wait(now, life=self.life, lived=lived, reported=reported)
        self.due = now + wait
        return wait

    def restart_if_due(self) -> None:
        """Begins the next life at its time."""
        if self.due is not None and time.monotonic() >= self.due:
            self.due = None
            self.life += 1
            self._begin()


class Supervisor:
    """Runs the roles of one program until its end."""

    def __init__(self, start: Start, link: Link, rules: Rules):
        """Starts nothing yet.

        Args:
            start: starts a life of a role.
            link: to the coordinator of the program.
            rules: of this program.
        """
        self._start = start
        self._link = link
        self._rules = rules
        self._restarts = deque[float]()  # times of those within the last hour
        self._lost: list[Role] = []
        self._done: list[Role] = []
        self.roles: list[Role] = []

    def run(self, nodes: Sequence[Node]) -> None:
        """Starts the nodes in their order, and runs the program to its end.

        Raises:
            RoleFailed: a role died for good.
            Interrupted: a signal ended the program early.
        """
        with signals.caught_signals(exit_at_second=False) as caught:
            try:
                for node in nodes:
                    for index in range(len(node.names())):
                        self.add(node, index)
                self._watch(caught)
            except errors.RoleFailed:
                now = time.monotonic()
                stopping.at_once(self.roles, caught, now + _FAILURE_GRACE_SECONDS)
                raise
            finally:
                self.stop(caught)
        if caught:
            raise errors.Interrupted(caught[0])

    def add(self, node: Node, index: int) -> None:
        """Starts a replica of a node."""
        self.roles.append(Role(node, index, self._start))

    def _watch(self, caught: Caught) -> None:
        """Waits until the program has ended or a signal came; raises RoleFailed."""
        while not caught:
            try:
                self._rules.check()
            except errors.RoleFailed:
                self._dump_stacks()
                raise
            for role in self.roles:
                code = role.handle.poll()
                if code == 0 and role.node.finishes:
                    return
                gone = role in self._lost or role in self._done
                if code is not None and role.due is None and not gone:
                    self._ended(role, code)
                role.restart_if_due()
            time.sleep(_POLL_SECONDS)

    def _ended(self, role: Role, code: int) -> None:
        """Notes that a role has done its work, or treats it as dead."""
        if code == 0 and self._has_done_its_work(role):
            self._done.append(role)
        else:
            self._died(role, code)

    def _has_done_its_work(self, role: Role) -> bool:
        """Whether a role that ended without an error has; a signal ends it so, too."""
        if role.node.restarts is None:
            return True
        roster = self._link.roster()
        # Without members the coordinator did not answer: the run is over.
        return not roster.members or role.name in roster.ended

    def _died(self, role: Role, code: int) -> None:
        """Plans a restart of a dead role, gives it up, or raises RoleFailed."""
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        roster = self._link.roster() if role.node.restarts else Roster()
        try:
            self._check_restarts()
            wait = role.plan_restart(roster.has_reported(role.name, role.life))
        except NoRestart as error:
            self._record(events.LOST, role, how, roster)
            self._give_up(role, how, error)
            return
        self._restarts.append(time.monotonic())
        self._record(events.RESTART, role, how, roster)
        print(
            f"{role.title} died ({how}) and is started again in {wait:.1f} s; see "
            f"{role.handle.log}",
            file=sys.stderr,
        )

    def _check_restarts(self) -> None:
        """Raises NoRestart if the roles have died too often within an hour."""
        hour_ago = time.monotonic() - 3600.0
        while self._restarts and self._restarts[0] < hour_ago:
            self._restarts.popleft()
        if len(self._restarts) >= MOST_IN_AN_HOUR + len(self.roles):
            raise NoRestart(f"{len(self._restarts)} restarts in an hour are too many")

    def _give_up(self, role: Role, how: str, error: NoRestart) -> None:
        """Lets the program continue without a role, if its node has enough others."""
        kin = [each for each in self.roles if each.node is role.node]
        left = [each for each in kin if each is not role and each not in self._lost]
        replicated = role.node.replicas is not None and role.node.restarts is not None
        reason = f", {error}" if str(error) else ""
        if error.misconfigured or not replicated or len(left) < self._rules.at_least:
            self._dump_stacks()
            lines = "\n".join(f"  {line}" for line in role.handle.tail())
            raise errors.RoleFailed(
                f"{role.title} died ({how}){reason}; its last lines, from "
                f"{role.handle.log}:\n{lines}"
            )
        self._lost.append(role)
        self._link.lost(role.name)
        print(
            f"{role.title} died ({how}){reason}; the run continues with {len(left)} "
            f"of {len(kin)}",
            file=sys.stderr,
        )

    def _record(self, event: str, role: Role, how: str, roster: Roster) -> None:
        """Records in the run directory what happened to a role."""
        events.append(
            self._rules.directory,
            event,
            role=role.title,
            host=role.handle.host,
            how=how,
            life=role.life,
            steps=roster.steps,
            line="".join(role.handle.tail()[-1:]).strip(),
        )

    def _dump_stacks(self) -> None:
        """Makes every living role write the stacks of its threads to its log."""
        for role in self.roles:
            if role.runs():
                role.handle.dump_stacks()

    def stop(self, caught: Caught) -> None:
        """Ends all roles in order; see `launch.engines.stopping`.

        Args:
            caught: signals that came.
        """
        stopping.in_order(self.roles, caught, self._rules.grace)
