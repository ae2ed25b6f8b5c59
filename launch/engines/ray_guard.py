"""Ends a Ray that a launcher started, after the launcher was killed.

Ray's own processes notice the death of a driver late, and some of them never. The guard
waits for the end of its standard input, which a launcher closes however it ends.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import psutil

import munchausen

# The environment variable that all processes of such a Ray inherit: its folder.
FOLDER = "MUNCHAUSEN_RAY"


@contextlib.contextmanager
def guarded(folder: str) -> Iterator[None]:
    """Context manager: nothing is left of a Ray that has its files in `folder`."""
    os.environ[FOLDER] = folder
    guard = subprocess.Popen(
        munchausen.command("launch.engines.ray_guard", folder),
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield
    finally:
        del os.environ[FOLDER]
        assert guard.stdin is not None
        guard.stdin.close()
        guard.wait()


def end(folder: str) -> None:
    """Kills all processes of the Ray with its files in `folder`, and removes these."""
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        with contextlib.suppress(psutil.Error):
            if process.environ().get(FOLDER) == folder:
                process.kill()
    shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Waits for the end of the launcher."""
    folder = sys.argv[1]
    sys.stdin.buffer.read()
    end(folder)


if __name__ == "__main__":
    main()
