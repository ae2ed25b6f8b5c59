"""How several runs are doing: a table on a terminal, lines now and then elsewhere."""

import sys
import time
from collections.abc import Callable, Sequence
from typing import TextIO

from launch.progress import make_live

_TERMINAL_PERIOD = 1.0  # seconds between two drawings of the table
_PLAIN_PERIOD = 30.0  # seconds between two reports in lines


class Overview:
    """One line for each run that goes on, and how many are left."""

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
        default = _PLAIN_PERIOD if self._live is None else _TERMINAL_PERIOD
        self._period = default if period is None else period
        self._shown = time.monotonic()

    def update(self, lines: Sequence[Callable[[], str]], waiting: int) -> None:
        """Reports if the last report is old enough; cheap otherwise.

        Args:
            lines: what there is to say of each run that goes on.
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
