"""Decides whether a role that died is started again, and when."""

import random
from collections import deque
from collections.abc import Callable
from typing import NamedTuple


class Budget(NamedTuple):
    """How often an engine starts a role again after it died.

    Attributes:
        most: restarts of one role within `window`.
        window: seconds.
        first_wait: seconds before the first restart; each further one waits twice as
            long.
        longest_wait: seconds that a restart waits at most.
        healthy: seconds after which a life counts as healthy; the waiting then starts
            again from `first_wait`.
        silent_lives: number of first lives after which a role that has never reported
            any work is not started again: most likely its settings are wrong.
    """

    most: int = 10
    window: float = 3600.0
    first_wait: float = 1.0
    longest_wait: float = 60.0
    healthy: float = 600.0
    silent_lives: int = 2


# Restarts of all roles together within an hour, apart from one for each role: when
# hosts are reclaimed, many roles end at once.
MOST_IN_AN_HOUR = 100


class NoRestart(Exception):
    """A role is not started again; the message gives the reason.

    Attributes:
        misconfigured: whether the role never worked, so that the run must end.
    """

    def __init__(self, reason: str, misconfigured: bool = False):
        super().__init__(reason)
        self.misconfigured = misconfigured


class Restarts:
    """The restarts of one role."""

    def __init__(self, budget: Budget, jitter: Callable[[], float] = random.random):
        """Counts no restart yet.

        Args:
            budget: how often the role may be started again.
            jitter: returns numbers in [0, 1), so that roles which died together do not
                start together.
        """
        self._budget = budget
        self._jitter = jitter
        self._times: deque[float] = deque()
        self._waits = 0  # since the last healthy life
        self._reported = False

    def wait(self, now: float, *, life: int, lived: float, reported: bool) -> float:
        """Seconds to wait before the next life begins; counts it as a restart.

        Args:
            now: seconds on a clock that never goes back.
            life: number of the life that ended, from 0.
            lived: seconds that it lasted.
            reported: whether it reported any work.

        Raises:
            NoRestart: the role is not started again.
        """
        budget = self._budget
        self._reported = self._reported or reported
        if not self._reported and life + 1 >= budget.silent_lives:
            raise NoRestart(f"it died {life + 1} times before its first report", True)
        while self._times and now - self._times[0] > budget.window:
            self._times.popleft()
        if len(self._times) >= budget.most:
            minutes = budget.window / 60
            died = len(self._times) + 1
            raise NoRestart(f"it died {died} times in {minutes:g} minutes")
        if lived >= budget.healthy:
            self._waits = 0
        wait = min(budget.first_wait * 2**self._waits, budget.longest_wait)
        self._times.append(now)
        self._waits += 1
        return wait * (1 + self._jitter()) / 2
