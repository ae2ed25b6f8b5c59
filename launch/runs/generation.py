"""Generations of a run: each start of a run takes the run over from the one before.

`<run>/.generation` names the newest start. A process of an earlier one, which may live
on at a host that was lost, finds there that it must not write any more. This protects
a run also where the lock of `launch.runs.lock` does not work, such as on NFS.
"""

import json
import os
import socket
from pathlib import Path
from typing import NamedTuple

import psutil

from launch.errors import RunDirectoryError, SaveFailed

FILE = ".generation"


class Lease(NamedTuple):
    """The right of one start of a run to write to its directory.

    Attributes:
        directory: the run directory.
        number: counts the starts of the run, from 1.
        host: where the launcher of this start runs.
        pid: its process.
        started: when that process began, in seconds since 1970.
    """

    directory: Path
    number: int
    host: str
    pid: int
    started: float

    def check(self) -> None:
        """Refuses to write to a run that another start has taken over.

        Raises:
            SaveFailed: another start has, or the file cannot be read.
        """
        newest = _read(self.directory)
        # A file that is gone names no other start.
        if newest is not None and newest[1:] != self[1:]:
            raise SaveFailed(
                f"{self.directory} is now written by generation {newest.number} of the "
                f"run, started on {newest.host} by process {newest.pid}: generation "
                f"{self.number} must not write any more"
            )


def take(directory: Path) -> Lease:
    """Takes a run over from its earlier starts; the caller has locked it.

    Raises:
        RunDirectoryError: the directory cannot be written, or the file not be read.
    """
    path = directory / FILE
    try:
        earlier = _read(directory)
        number = 1 if earlier is None else earlier.number + 1
        started = psutil.Process().create_time()
        pid, host = os.getpid(), socket.gethostname()
        lease = Lease(directory.absolute(), number, host, pid, started)
        plain = lease._asdict()
        del plain["directory"]
        draft = path.with_name(f"{FILE}.draft")
        draft.write_text(json.dumps(plain), encoding="utf-8")
        draft.replace(path)
    except (OSError, SaveFailed) as error:
        raise RunDirectoryError(f"cannot take over {directory}: {error}") from error
    return lease


def _read(directory: Path) -> Lease | None:
    """The newest start of a run; None if the run has none."""
    path = directory / FILE
    try:
        return Lease(directory, **json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, TypeError, ValueError) as error:
        raise SaveFailed(
            f"cannot read {path}: {error}; delete this file if no other process writes "
            "to this run"
        ) from error
