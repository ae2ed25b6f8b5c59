"""Ends a process whose launcher was killed and so cannot end it."""

import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable

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
