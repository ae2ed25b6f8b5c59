"""Catches the signals that ask a run to end."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

from launch import errors

_ENDING = (signal.SIGINT, *errors.NOTICES)
# `timeout` sends a signal to the command and then to its process group.
_SAME_SECONDS = 0.2
# For the end of a run that has saved everything, such as that of its other roles.
_ENDING_SECONDS = 2.0


class Caught(list[int]):
    """The signals that count: the first one, and each later Ctrl+C.

    A scheduler, a shell and a closing terminal repeat their signals: no reason not to
    save. Only Ctrl+C pressed again, by a user who does not want to wait, is one.

    Attributes:
        noticed: the time of `time.monotonic` when a scheduler announced that it will
            kill this process; None: it did not.
    """

    def __init__(self) -> None:
        self._came: list[tuple[float, int]] = []
        self.noticed: float | None = None

    def note(self, number: int) -> None:
        """Adds the signal if it counts.

        Another signal may interrupt this method and call it again: each call counts all
        signals anew, so that both come to the same result.
        """
        self._came.append((time.monotonic(), number))
        came = sorted(self._came)
        self.noticed = min((t for t, n in came if n in errors.NOTICES), default=None)
        (last, first), *later = came
        counting = [first]
        for moment, each in later:
            if each == signal.SIGINT and moment - last > _SAME_SECONDS:
                last = moment
                counting.append(each)
        self[:] = counting


def deadline(noticed: float | None, grace: float) -> float | None:
    """When a process must have saved everything; None: it may take any time.

    Args:
        noticed: see `Caught.noticed`.
        grace: seconds between the notice and the end. Some of them are kept for the
            end itself.
    """
    if noticed is None:
        return None
    return noticed + grace - min(_ENDING_SECONDS, grace / 5)


@contextlib.contextmanager
def caught_signals(exit_at_second: bool = True) -> Iterator[Caught]:
    """Collects the signals that ask this process to end: see `handling`.

    Args:
        exit_at_second: whether Ctrl+C after another signal ends this process at once.
    """
    caught = Caught()

    def handle(number: int, frame: Any) -> None:
        caught.note(number)
        if exit_at_second and len(caught) > 1:
            os._exit(128 + number)

    with handling() as install:
        install(handle)
        yield caught


@contextlib.contextmanager
def handling() -> Iterator[Callable[[Callable[[int, Any], None]], None]]:
    """Gives a function that installs a handler; restores the earlier ones in the end.

    The handler is for SIGINT, SIGTERM, SIGUSR1, SIGUSR2 and SIGHUP. SIGHUP, which a
    closing terminal sends to processes, stays ignored under `nohup`.
    """
    numbers = list(_ENDING)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}

    def install(handler: Callable[[int, Any], None]) -> None:
        for number in numbers:
            signal.signal(number, handler)

    try:
        yield install
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
