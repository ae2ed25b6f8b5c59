"""When something is due: at points of a run, in steps on its clock, or by wall time."""

import math
import time

from launch.experiment import Checkpointing

_NEVER = 1 << 62


class Schedule:
    """Points `period, 2 period, ..., end`, or without end; each is passed once."""

    def __init__(self, period: int, end: int = _NEVER, done: int = 0):
        """Starts after the points that `done` steps have reached."""
        self._period = period
        self._end = end
        self._next = min(period, end)
        self.due(done)

    def due(self, steps: int) -> int | None:
        """The newest point that `steps` has reached since the last call, or None."""
        if steps < self._next:
            return None
        point = self._end if steps >= self._end else steps - steps % self._period
        following = point - point % self._period + self._period
        self._next = min(following, self._end) if point < self._end else _NEVER
        return point


class SaveTimer:
    """Decides when a checkpoint is due: on a grid of steps, and by wall time."""

    def __init__(self, settings: Checkpointing, done: int):
        """Starts `done` steps into a run."""
        # The grid of a run does not depend on its length: the run may be extended.
        self._grid = Schedule(settings.period, done=done)
        self._seconds = settings.minutes * 60 or math.inf
        self.saved()

    def on_grid(self, steps: int) -> bool:
        """Whether a point of the grid has passed; True once for each of them."""
        return self._grid.due(steps) is not None

    def late(self) -> bool:
        """Whether the last checkpoint is too old."""
        # Not the time of day: it may be set meanwhile.
        return time.monotonic() - self._last > self._seconds

    def saved(self) -> None:
        """Notes that a checkpoint was written."""
        self._last = time.monotonic()
