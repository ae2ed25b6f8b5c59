"""Locks a run directory, so that it has one writer at a time."""

import contextlib
import errno
import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from launch.errors import RunDirectoryError

FILE = ".lock"
# What a file system without locks answers, such as NFS or Lustre without that option.
_UNSUPPORTED = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL)


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Context manager: no other process may run or resume this run meanwhile.

    The lock ends when this process and all that inherit the lock have ended, however
    they end: roles that outlive a launcher for a while may still be writing. On a file
    system without locks nothing is locked, and a warning says so.

    Raises:
        RunDirectoryError: another process holds the lock, or the directory cannot be
            written to.
    """
    try:
        file = (directory / FILE).open("w")
    except OSError as error:
        raise RunDirectoryError(f"cannot write to {directory}: {error}") from error
    with file:
        os.set_inheritable(file.fileno(), True)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunDirectoryError(
                f"{directory} is being written by another process"
            ) from error
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise RunDirectoryError(f"cannot lock {directory}: {error}") from error
            print(
                f"munchausen: the file system of {directory} has no locks "
                f"({error.strerror}): start no second process that writes this run",
                file=sys.stderr,
            )
        yield


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
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise RunDirectoryError(f"cannot lock {directory}: {error}") from error
    return False
