"""The process of a role: its title, stack dumps, and how it exits."""

import contextlib
import ctypes
import faulthandler
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator

import setproctitle

from environments.checks import EnvironmentFailed
from launch import errors
from launch.experiment import Experiment

_POLL_SECONDS = 1.0
_PRCTL = ctypes.CDLL(None).prctl
_PR_SET_PDEATHSIG = 1
_GRACE_SECONDS = 20.0  # to end in order after the parent has died

# What only the launcher sends to a role: on the first, which Launchpad handles, the
# role ends; on the second it writes the stacks of its threads to its log; on the third
# it ends, too, and knows that it will be killed soon (see `Notice`). No scheduler and
# no terminal sends the last two by habit.
END = signal.SIGINT
STACKS = signal.SIGRTMIN + 1
NOTICE = signal.SIGRTMIN + 2

# The environment variable with the number of a role's life, from 0.
LIFE = "MUNCHAUSEN_LIFE"

# Errors that a user can fix: the message is enough, without a traceback.
_EXPECTED = (
    errors.SaveFailed,
    errors.Stalled,
    errors.RunDirectoryError,
    errors.NotFinite,
    errors.DiskFull,
    errors.DeviceFull,
    errors.UnevenBatch,
    errors.RankLost,
    EnvironmentFailed,
)


def begin_role(role: str, experiment_name: str) -> None:
    """Names this process `munchausen <role> <experiment>`, for `ps` and `top`.

    On `STACKS` the process writes the stacks of all its threads to its log, and it does
    not outlive the launcher. By hand: `kill -s RTMIN+1 PID`.
    """
    end_with_parent()
    faulthandler.register(STACKS)
    setproctitle.setproctitle(f"munchausen {role} {experiment_name}")


@contextlib.contextmanager
def exit_on_expected_errors(alone: bool, experiment: Experiment) -> Iterator[None]:
    """Context manager: on an expected error, prints only its message and exits with 1.

    The launcher shows the last lines of a role's log, and the reason must be among
    them.

    Args:
        alone: whether the role has this process for itself. If not, only a stall ends
            the process: a thread that hangs cannot be ended otherwise.
        experiment: whose flags a message names.
    """
    try:
        yield
    except _EXPECTED as error:
        if not alone and not isinstance(error, errors.Stalled):
            raise
        if isinstance(error, EnvironmentFailed) and error.__cause__ is not None:
            traceback.print_exception(error.__cause__, file=sys.__stderr__)
        said = str(error)
        if isinstance(error, errors.UnevenBatch):
            said = errors.in_flags(error, experiment)
        # Not sys.stderr, which a live line on the terminal may have replaced.
        print(said, file=sys.__stderr__, flush=True)
        os._exit(1)


def leave() -> None:
    """Ends this process, whose role is done, without an ordinary interpreter exit.

    The threads of Courier and gRPC outlive their clients, and sometimes abort a
    process that exits in the ordinary way: a finished run would then count as failed.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def dying_with(parent: int, number: int = signal.SIGTERM) -> Callable[[], None]:
    """Makes Linux send a signal to a process if its launcher `parent` is killed.

    Returns:
        The `preexec_fn` of `Popen`, called in the child between fork and exec; it
        takes no lock that another thread may have held.
    """

    def prepare() -> None:
        _PRCTL(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # killed since the fork
            os._exit(1)

    return prepare


def ended_by(parent: int, number: int = END) -> Callable[[], None]:
    """Makes a role deaf to all signals that ask a run to end, except for `END`.

    A scheduler signals all processes of a job. The launcher then ends the roles in
    order; roles that ended at once could not save.

    Args:
        parent: the process that starts the role.
        number: signal that the role gets if its parent is killed.

    Returns:
        The `preexec_fn` of `Popen`, see `dying_with`.
    """
    dying = dying_with(parent, number)

    def prepare() -> None:
        dying()
        for ignored in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP):
            signal.signal(ignored, signal.SIG_IGN)
        # Blocked, not ignored: Launchpad installs a handler, and `Notice`
        # waits. What the launching thread
        # blocks must reach the role, above all END.
        signal.pthread_sigmask(signal.SIG_SETMASK, [signal.SIGTERM, NOTICE])
        signal.signal(END, signal.SIG_DFL)  # a shell's background jobs ignore it

    return prepare


class Notice:
    """Waits for `NOTICE` in a thread; a role of `ended_by` has blocked it elsewhere.

    Attributes:
        at: the time of `time.monotonic` when it came; None: it has not come.
    """

    def __init__(self, stopped: Callable[[], bool]):
        """Starts to wait.

        Args:
            stopped: whether the process was asked to end already. A second `END` would
                kill it.
        """
        self.at: float | None = None

        def wait() -> None:
            signal.sigwait([NOTICE])
            self.at = time.monotonic()
            if not stopped():
                os.kill(os.getpid(), END)

        threading.Thread(target=wait, name="notice", daemon=True).start()


def end_with_parent() -> None:
    """Starts a thread that ends this process some time after its parent has ended.

    No signal reaches the main thread if it waits for a role that is gone as well.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL_SECONDS)
        time.sleep(_GRACE_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="orphans", daemon=True).start()
