"""Locks a run directory, so that it has one writer at a time.

`take` and `adopted` pass a lock from a launcher to the process that runs the run.
"""

import contextlib
import errno
import fcntl
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from launch.errors import RunDirectoryError

FILE = ".lock"
_TURN = ".turn"
_TRIES = 5
_PAUSE_SECONDS = 0.02
# What a file system without locks answers, such as NFS or Lustre without that option.
_UNSUPPORTED = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL)


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Context manager: no other process may run or resume this run meanwhile; `take`.

    Raises:
        RunDirectoryError: another process holds the lock, or the directory cannot be
            written to.
    """
    with take(directory):
        yield


def take(directory: Path) -> IO[str]:
    """Locks a run until the returned file is closed.

    The lock ends when this process and all that inherit the file have closed it or
    ended, however they end: roles that outlive a launcher for a while may still be
    writing. On a file system without locks nothing is locked, and a warning says so.

    Raises:
        RunDirectoryError: another process holds the lock, or the directory cannot be
            written to.
    """
    file = _open(directory / FILE)
    try:
        os.set_inheritable(file.fileno(), True)
        if reason := _lock_soon(file):
            print(
                f"munchausen: the file system of {directory} has no locks "
                f"({reason}): start no second process that writes this run",
                file=sys.stderr,
            )
    except BlockingIOError as error:
        file.close()
        raise RunDirectoryError(
            f"{directory} is being written by another process"
        ) from error
    except BaseException:
        file.close()
        raise
    return file


@contextlib.contextmanager
def adopted(descriptor: int) -> Iterator[None]:
    """Context manager: holds the lock that the parent process took and passed on.

    Args:
        descriptor: number of the open file.
    """
    with os.fdopen(descriptor, "w"):
        yield


@contextlib.contextmanager
def turn(folder: Path) -> Iterator[None]:
    """Context manager: launchers choose runs in this folder one after the other.

    On a file system without locks launchers do not wait for each other.

    Args:
        folder: holds the run directories of one experiment; made if missing.

    Raises:
        RunDirectoryError: the folder cannot be written to, or not be locked.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunDirectoryError(f"cannot write to {folder}: {error}") from error
    with _open(folder / _TURN) as file:
        _lock(file, fcntl.LOCK_EX)
        yield


def _lock_soon(file: IO[str]) -> str:
    """Locks a file although others may be looking, which takes them microseconds.

    Returns and raises: see `_lock`.
    """
    for _ in range(_TRIES - 1):
        with contextlib.suppress(BlockingIOError):
            return _lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        time.sleep(_PAUSE_SECONDS)
    return _lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _open(path: Path) -> IO[str]:
    try:
        return path.open("w")
    except OSError as error:
        raise RunDirectoryError(f"cannot write to {path.parent}: {error}") from error


def _lock(file: IO[str], how: int) -> str:
    """Locks a file; returns why its file system has no locks, or an empty text.

    Raises:
        BlockingIOError: another process holds the lock, and `how` is not to wait.
        RunDirectoryError: the lock failed otherwise.
    """
    try:
        fcntl.flock(file, how)
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return os.strerror(error.errno)
        place = Path(file.name).parent
        raise RunDirectoryError(f"cannot lock {place}: {error}") from error
    return ""


def is_held(directory: Path) -> bool:
    """Whether another process runs or resumes this run now.

    False on a file system without locks, where it cannot be known.

    Raises:
        RunDirectoryError: the lock cannot be read.
    """
    try:
        file = (directory / FILE).open()
    except OSError:
        return False  # no process has run it, or could run it
    with file:
        try:
            _lock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
