"""Ends the process of a role whose environment hangs, so that it is started again."""

import faulthandler
import os
import sys
import threading
from typing import Any

import dm_env
import numpy as np

from environments.vector import VectorEnvironment
from launch.roles.watchdog import RunningClock

_LOOK_SECONDS = 1.0  # between two looks at the environment


class WatchedEnvironment:
    """An environment that ends its process if one of its calls does not return.

    The other roles of the program go on, and the supervisor starts this one again.
    All attributes are those of the environment.
    """

    def __init__(self, environment: VectorEnvironment, seconds: float):
        """Starts a thread that watches, until `close`.

        Args:
            environment: to watch; it must let other threads run while it computes.
            seconds: half of the run's `stall_seconds`, which one `reset` or `step` may
                take. Time in which the process was suspended does not count.
        """
        self._environment = environment
        self._seconds = seconds
        self._calls = 0  # odd: one is under way
        self._closed = threading.Event()
        self._thread = threading.Thread(
            target=self._watch, name="environment watch", daemon=True
        )
        self._thread.start()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._environment, name)

    def reset(self) -> dm_env.TimeStep:
        """Starts a new episode in every lane."""
        self._calls += 1
        try:
            return self._environment.reset()
        finally:
            self._calls += 1

    def step(self, actions: np.ndarray) -> dm_env.TimeStep:
        """Steps every lane once; see `VectorEnvironment.step`."""
        self._calls += 1
        try:
            return self._environment.step(actions)
        finally:
            self._calls += 1

    def close(self) -> None:
        """Ends the watch, and frees the resources of the environment."""
        self._closed.set()
        self._thread.join()
        self._environment.close()

    def _watch(self) -> None:
        clock = RunningClock()
        seen, since = 0, clock.now()
        while not self._closed.wait(min(_LOOK_SECONDS, self._seconds / 4)):
            now, calls = clock.now(), self._calls
            if calls != seen or calls % 2 == 0:
                seen, since = calls, now
            elif now - since >= self._seconds:
                self._end()

    def _end(self) -> None:
        """Writes the stacks of all threads and one line to the log of the role."""
        log = sys.__stderr__ or sys.stderr
        faulthandler.dump_traceback(log)
        said = (
            f"the environment has not returned from a step or a reset for "
            f"{self._seconds:g} s, half of --stall_seconds; above are the stacks of "
            "all threads\n"
        )
        os.write(log.fileno(), said.encode())  # what hangs may have locked the stream
        os._exit(1)
