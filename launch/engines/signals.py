"""Catches the signals that ask a run to end."""

import contextlib
import os
import signal
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def caught_signals(exit_at_second: bool = True) -> Iterator[list[int]]:
    """Collects the numbers of SIGINT, SIGTERM and SIGHUP in a list.

    SIGHUP, which a closing terminal sends to processes, stays ignored under `nohup`.

    Args:
        exit_at_second: whether a second signal ends this process at once.
    """
    caught: list[int] = []

    def handle(number: int, frame: Any) -> None:
        caught.append(number)
        if exit_at_second and len(caught) > 1:
            os._exit(128 + number)

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    previous = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield caught
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
