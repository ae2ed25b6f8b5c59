"""Ends a Ray that a launcher started, after the launcher was killed.

Ray's own processes notice the death of a driver late, and some of them never. The guard
waits for the end of its standard input, which a launcher closes however it ends.
"""

import contextlib
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import IO

import psutil

import munchausen

_LOOK_SECONDS = 1.0


@contextlib.contextmanager
def guarded(folder: str) -> Iterator[None]:
    """Context manager: nothing is left of a Ray that has its files in `folder`.

    All processes that this one starts meanwhile are killed in the end, too.
    """
    guard = subprocess.Popen(
        munchausen.command("launch.engines.ray_guard", folder),
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield
    finally:
        assert guard.stdin is not None
        guard.stdin.close()
        guard.wait()


def watch(launcher: psutil.Process, ended: IO[bytes]) -> set[psutil.Process]:
    """Waits until a launcher ends; returns all processes that came from it, but this.

    Args:
        launcher: its process.
        ended: a stream whose end is the end of the launcher.
    """
    found: set[psutil.Process] = set()
    while True:
        with contextlib.suppress(psutil.Error):
            found.update(launcher.children(recursive=True))
        if select.select([ended], [], [], _LOOK_SECONDS)[0]:
            return found - {psutil.Process()}


def main() -> None:
    """Waits for the end of the parent; then kills what is left of its Ray."""
    found = watch(psutil.Process(os.getppid()), sys.stdin.buffer)
    for process in found:
        with contextlib.suppress(psutil.Error):
            process.kill()
    shutil.rmtree(sys.argv[1], ignore_errors=True)


if __name__ == "__main__":
    main()
