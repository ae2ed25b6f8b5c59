"""Points of a run, in steps on its clock, at which something is due."""

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
