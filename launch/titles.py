"""What a process of a distributed run tells about itself: its title, and its stacks."""

import faulthandler
import signal

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
    if lp.context.get_context().launch_type not in _THREADS:
        orphans.end_with_parent()
        faulthandler.register(signal.SIGUSR2)
        setproctitle.setproctitle(f"munchausen {role} {experiment_name}")
