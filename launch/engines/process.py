"""What a process of a distributed run owes the others: a title, its stacks, its end."""

import contextlib
import ctypes
import faulthandler
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator

import launchpad as lp
import setproctitle

from agents.parts.checks import UnevenBatch
from launch import errors
from launch.errors import RunDirectoryError, SaveFailed, Stalled

_THREADS = (
    lp.LaunchType.LOCAL_MULTI_THREADING,
    lp.LaunchType.TEST_MULTI_THREADING,
)


def set_role(role: str, experiment_name: str) -> None:
    """Names this process `munchausen <role> <experiment>`, for `ps` and `top`.

    On SIGUSR2 it writes the stacks of all its threads to its log, and it does not
    outlive the launcher. Roles that are threads of one process leave that process's
    name alone.
    """
    if _is_process():
        end_with_parent()
        faulthandler.register(signal.SIGUSR2)
        setproctitle.setproctitle(f"munchausen {role} {experiment_name}")


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Context whose foreseen failures end a process with what they say, and no trace.

    The launcher shows the last lines of the log, and the reason must be among them.
    """
    try:
        yield
    except (
        SaveFailed,
        Stalled,
        RunDirectoryError,
        errors.NotFinite,
        errors.DiskFull,
        UnevenBatch,
    ) as error:
        if not _is_process() and not isinstance(error, Stalled):
            raise
        # A thread that hangs ends with its process only. The terminal's live line, if
        # there is one, stands in for sys.stderr.
        print(error, file=sys.__stderr__, flush=True)
        os._exit(1)


def leave() -> None:
    """Ends this process, whose role is done, without taking the interpreter down.

    The threads of Courier and gRPC outlive their clients, and now and then abort a
    process that exits in the ordinary way: a finished run would then count as failed.
    Roles that are threads of one process just return.
    """
    if _is_process():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _is_process() -> bool:
    return lp.context.get_context().launch_type not in _THREADS


_POLL_SECONDS = 1.0


_PRCTL = ctypes.CDLL(None).prctl


_PR_SET_PDEATHSIG = 1


_GRACE_SECONDS = 20.0  # to end in order, which Linux asks for when the parent dies


def dying_with(parent: int) -> Callable[[], None]:
    """Has Linux send SIGTERM to a process if its launcher `parent` is killed.

    Returns:
        What `Popen` calls in the child, between fork and exec; it takes no lock there
        that another thread may have held.
    """

    def prepare() -> None:
        _PRCTL(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # killed since the fork
            os._exit(1)

    return prepare


def end_with_parent() -> None:
    """Starts a thread that ends this process some time after its parent has ended.

    The main thread may wait, out of reach of signals, for a role that is gone as well.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL_SECONDS)
        time.sleep(_GRACE_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="orphans", daemon=True).start()
