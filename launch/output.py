"""Standard output and standard error, which may be gone before the run has ended.

A reader may leave (`| head -1`), a terminal may be closed, a disk may be full. Then the
output ends, and the process continues.
"""

import contextlib
import io
import os
import select
import sys
from typing import TextIO

# Descriptors of standard output and standard error that accept nothing any more, with
# the reason.
lost: dict[int, OSError] = {}


def guard() -> None:
    """Makes this process go on without output once nothing accepts it any more.

    Call it before anything is printed and before any file is opened: of a process that
    was started with a closed standard stream, the next open file takes its place.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:  # closed; the lowest free number is the next one
            os.open(os.devnull, os.O_RDWR)
    if sys.stdin is None:
        sys.stdin = sys.__stdin__ = open(0, closefd=False)  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = _guarded(1, sys.stdout)  # type: ignore
    sys.stderr = sys.__stderr__ = _guarded(2, sys.stderr)  # type: ignore


def write(descriptor: int, text: bytes) -> None:
    """Writes in a signal handler, where no buffered stream may be used."""
    with contextlib.suppress(OSError):
        os.write(descriptor, text)


def _guarded(descriptor: int, stream: TextIO | None) -> TextIO:
    raw = _Output(descriptor, "w", closefd=False)
    if not isinstance(stream, io.TextIOWrapper):
        return io.TextIOWrapper(io.BufferedWriter(raw), line_buffering=True)
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


class _Output(io.FileIO):
    """Writes to a descriptor while it accepts something, and then to nothing."""

    def write(self, data: object) -> int:
        """Writes at least a part of `data`; returns its size in bytes."""
        view = memoryview(data).cast("B")  # type: ignore[arg-type]
        try:
            while (written := super().write(view)) is None:
                # Another program may have made the terminal non-blocking.
                select.select([], [self], [])
        except OSError as error:
            self._leave(error)
            return len(view)
        return written

    def _leave(self, error: OSError) -> None:
        """Leads the descriptor nowhere, for libraries that write to it as well."""
        lost[self.fileno()] = error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)
