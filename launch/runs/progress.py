"""Shows a run's progress: live on a terminal, as occasional lines elsewhere."""

import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO

from launch.runs.logs import Counts

_WINDOW = 30.0  # seconds over which rates are measured
_TERMINAL_PERIOD = 0.2  # seconds between two drawings of the live line
_PLAIN_PERIOD = 10.0  # seconds between two plain lines
_TABLE_PERIOD = 1.0  # seconds between two drawings of the table of several runs
_TABLE_PLAIN_PERIOD = 30.0  # seconds between two reports of several runs in lines


class Progress:
    """Shows steps done, rates, latest values and the time that is left."""

    def __init__(
        self,
        title: str,
        total: int,
        *,
        stream: TextIO | None = None,
        period: float | None = None,
    ):
        """Shows nothing yet.

        Args:
            title: the name of the run, such as `mdqn/pong seed 0`.
            total: steps of the whole run.
            stream: where to write; None: standard error.
            period: seconds between two reports; None: 0.2 on a terminal, else 10.
        """
        self._title = title
        self._total = total
        self._stream = sys.stderr if stream is None else stream
        self._live = make_live(self._stream) if self._stream.isatty() else None
        default = _PLAIN_PERIOD if self._live is None else _TERMINAL_PERIOD
        self._period = default if period is None else period
        self._values: dict[str, Any] = {}
        self._below: Sequence[str] = ()
        self._counts = Counts()
        self._history = deque[tuple[float, Counts]]()  # when counts were new
        self._shown = time.monotonic()

    def below(self, lines: Sequence[str]) -> None:
        """Sets lines that a terminal shows below the live line, such as a table."""
        self._below = lines

    def update(self, counts: Counts, values: Mapping[str, Any] | None = None) -> None:
        """Updates the values; reports if the last report is old enough, else is cheap.

        Args:
            counts: the counters now.
            values: other values to show, such as `{"return": -20.5}`; values not given
                again stay.
        """
        self._counts = counts
        if values:
            self._values.update(values)
        now = time.monotonic()
        if not self._history or counts.clock < self._history[-1][1].clock:
            # A resumed run does not begin at 0, and may be set back further.
            self._history = deque([(now, counts)])
        if now - self._shown >= self._period:
            self._show(now)

    def close(self) -> None:
        """Reports a last time and leaves the terminal in order."""
        self._show(time.monotonic())
        if self._live is not None:
            self._live.stop()

    def _show(self, now: float) -> None:
        self._shown = now
        # Unchanged counts are not added again: else a slow run would seem to stand
        # still most of the time.
        if not self._history or self._counts != self._history[-1][1]:
            self._history.append((now, self._counts))
        while len(self._history) > 2 and now - self._history[1][0] > _WINDOW:
            self._history.popleft()
        line = self._line(now)
        if self._live is None:
            print(line, file=self._stream, flush=True)
        else:
            from rich.text import Text

            # A narrow terminal shows two lines: the end of the text matters, too.
            text = "\n".join([line, *self._below])
            self._live.update(Text(text, overflow="fold"), refresh=True)

    def _line(self, now: float) -> str:
        then, earlier = self._history[0]
        seconds = max(now - then, 1e-9)
        done = self._counts.clock
        rate = (done - earlier.clock) / seconds
        updates = (self._counts.learner_steps - earlier.learner_steps) / seconds
        parts = [
            self._title,
            f"{done:,}/{self._total:,} steps ({100 * done / self._total:.0f} %)",
            f"{rate:,.0f} steps/s",
        ]
        if self._counts.actor_steps:
            parts += [
                f"{updates:,.0f} updates/s",
                f"{self._counts.episodes:,} episodes",
            ]
        parts += [f"{name} {_short(value)}" for name, value in self._values.items()]
        if rate > 0 and done < self._total:
            parts.append(f"left {_duration((self._total - done) / rate)}")
        return "  ".join(parts)


def bottleneck(waiting: Mapping[str, float]) -> str:
    """Names the role that the others wait for: `learner (actor/0 waits 62 %)`.

    Args:
        waiting: share of its time that each role waits for others.
    """
    learner = waiting.get("learner", 0.0)
    actors = {role: share for role, share in waiting.items() if role != "learner"}
    slowest = max(actors, key=actors.__getitem__, default="actors")
    share = actors.get(slowest, 0.0)
    if learner >= share:
        return f"actors (learner waits {100 * learner:.0f} %)"
    return f"learner ({slowest} waits {100 * share:.0f} %)"


def make_live(stream: TextIO) -> Any:
    """A rich display that is drawn when it is updated; nothing is drawn yet."""
    from rich.console import Console
    from rich.live import Live

    # No refresh thread: a local run has one thread only.
    live = Live(console=Console(file=stream), auto_refresh=False)
    live.start()
    # Rich hides the cursor, and a run that is killed could not show it again.
    live.console.show_cursor(True)
    return live


def _short(value: Any) -> str:
    return value if isinstance(value, str) else f"{float(value):.4g}"


def _duration(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"


class Overview:
    """Shows how many of several runs are done, and a line for each that is running."""

    def __init__(
        self,
        total: int,
        *,
        stream: TextIO | None = None,
        period: float | None = None,
    ):
        """Shows nothing yet.

        Args:
            total: number of runs.
            stream: where to write; None: standard error.
            period: seconds between two reports; None: 1 on a terminal, else 30.
        """
        self._total = total
        self._stream = sys.stderr if stream is None else stream
        self._live = make_live(self._stream) if self._stream.isatty() else None
        default = _TABLE_PLAIN_PERIOD if self._live is None else _TABLE_PERIOD
        self._period = default if period is None else period
        self._shown = time.monotonic()

    def update(self, lines: Sequence[Callable[[], str]], waiting: int) -> None:
        """Reports if the last report is old enough; cheap otherwise.

        Args:
            lines: functions that return the line of each running run.
            waiting: runs that have not been started.
        """
        now = time.monotonic()
        if now - self._shown < self._period:
            return
        self._shown = now
        done = self._total - waiting - len(lines)
        head = f"{done} of {self._total} runs done, {len(lines)} running"
        text = [head, *(line() for line in lines)]
        if self._live is None:
            print("\n".join(text), file=self._stream, flush=True)
            return
        from rich.text import Text

        table = Text("\n".join(text), no_wrap=True, overflow="ellipsis")
        self._live.update(table, refresh=True)

    def close(self) -> None:
        """Leaves the terminal in order."""
        if self._live is not None:
            self._live.stop()
