"""What a process of a distributed run owes the others: a title, its stacks, its end."""

import faulthandler
import os
import signal
import sys

import launchpad as lp
import setproctitle

from launch import orphans

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
        orphans.end_with_parent()
        faulthandler.register(signal.SIGUSR2)
        setproctitle.setproctitle(f"munchausen {role} {experiment_name}")


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
