"""Ends the roles of a program in an order in which the learner can save the run."""

import math
import signal
import sys
import time
from collections.abc import Sequence, Set
from typing import Any, Protocol

from launch.engines import process
from launch.engines.program import Node
from launch.engines.signals import Caught

_POLL_SECONDS = 0.05
# For the roles that end after the learner, within the time after a scheduler's notice.
_LAST_SECONDS = 1.0


class Running(Protocol):
    """A role, such as a `launch.engines.supervisor.Role`.

    Attributes:
        node: its node.
        title: its name.
        handle: of its newest life; a `launch.engines.supervisor.Handle`.
    """

    node: Node
    title: str
    handle: Any

    def runs(self) -> bool:
        """Whether a life is under way."""


def in_order(roles: Sequence[Running], caught: Caught, grace: float) -> None:
    """Asks node after node to end; kills roles that do not within their patience.

    After a scheduler's notice, also if it comes meanwhile, there is no time for that:
    see `at_once`.

    Args:
        roles: of the program.
        caught: signals that came; a second one kills all roles.
        grace: seconds between a notice and the end of all processes.
    """
    _wake(roles)
    asked: set[str] = set()
    for place in sorted({role.node.stops for role in roles}):
        members = [role for role in roles if role.node.stops == place]
        if caught.noticed is None:
            _ask_to_end(members, asked)
        patience = max(role.node.patience for role in members)
        deadline = time.monotonic() + patience
        while _any_runs(members) and time.monotonic() < deadline:
            if caught.noticed is not None:
                end = caught.noticed + grace - min(_LAST_SECONDS, grace / 10)
                at_once(roles, caught, end, asked)
                return
            if len(caught) > 1:
                break
            time.sleep(_POLL_SECONDS)
        _kill(members)


def at_once(
    roles: Sequence[Running], caught: Caught, end: float, asked: Set[str] = frozenset()
) -> None:
    """Lets the learner save while all roles end that it does not need for that.

    Args:
        roles: of the program.
        caught: signals that came; a second one kills all roles.
        end: the time of `time.monotonic` when roles that still run are killed.
        asked: titles of roles that were asked to end before.
    """
    _wake(roles)
    told = set(asked)
    savers = [role for role in roles if role.node.saves]
    place = max((role.node.stops for role in savers), default=-math.inf)
    first = [role for role in roles if role.node.stops <= place and not role.node.saves]
    for role in savers:
        if role.runs():
            role.handle.signal(process.NOTICE)
    _ask_to_end(first, told)
    _await_end(savers, caught, end)
    _kill(savers)
    for later in sorted({role.node.stops for role in roles if role.node.stops > place}):
        members = [role for role in roles if role.node.stops == later]
        _ask_to_end(members, told)
        _await_end(members, caught, max(end, time.monotonic() + _LAST_SECONDS))
        _kill(members)
    _await_end(first, caught, end)
    _kill(first)


def _wake(roles: Sequence[Running]) -> None:
    """Continues suspended roles, which can neither end nor answer other roles."""
    for role in roles:
        if role.runs():
            role.handle.signal(signal.SIGCONT)


def _ask_to_end(roles: Sequence[Running], asked: set[str]) -> None:
    """Asks roles to end; asked twice, they would be killed by Launchpad."""
    for role in roles:
        if role.runs() and role.title not in asked:
            asked.add(role.title)
            role.handle.signal(process.END)


def _any_runs(roles: Sequence[Running]) -> bool:
    return any(role.runs() for role in roles)


def _await_end(roles: Sequence[Running], caught: Caught, end: float) -> None:
    """Waits until the roles have ended, Ctrl+C came again, or it is time to kill."""
    while _any_runs(roles) and len(caught) < 2 and time.monotonic() < end:
        time.sleep(_POLL_SECONDS)


def _kill(roles: Sequence[Running]) -> None:
    """Kills the roles that have not ended."""
    for role in roles:
        if role.runs():
            print(f"{role.title} did not end: killed", file=sys.stderr)
            role.handle.kill()
