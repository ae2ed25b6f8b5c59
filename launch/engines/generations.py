"""Starts a program again from its newest checkpoint, after it could not go on.

Each start is a generation of the run, with a new lease on its directory. The logs are
truncated to the checkpoint, as for every run that is resumed.
"""

import sys
from collections.abc import Callable

from launch import errors
from launch.errors import RunDirectoryError
from launch.roles.context import Run
from launch.runs import checkpoint, events, generation
from launch.runs.checkpoint import Checkpoint


def run(run: Run, start: Callable[[Run], object], restarts: int) -> None:
    """Runs a program, and starts it again if it fails and had got further before.

    Args:
        run: the run.
        start: runs the program of a run to its end.
        restarts: how often the program is started again at most.

    Raises:
        RoleFailed: the program failed for good.
        Interrupted: a signal ended it early.
        EndedEarly: see `launch.engines.launchpad_engine.run`.
    """
    for left in reversed(range(restarts + 1)):
        try:
            start(run)
            return
        except errors.RoleFailed as error:
            if not restarts:
                raise
            saved = _further(run, error)
            if left == 0:
                times = "1 time" if restarts == 1 else f"{restarts} times"
                raise errors.RoleFailed(
                    f"{error}\nit was started again {times}, and no more is allowed"
                ) from error
            run = _next(run, saved, error)


def _further(run: Run, error: errors.RoleFailed) -> Checkpoint:
    """The newest checkpoint, if it is newer than the one that the program began with.

    Raises:
        RoleFailed: it is not.
    """
    began = run.start.clock
    try:
        saved = checkpoint.newest(run.directory)
    except RunDirectoryError:
        saved = None
    if saved is None or saved.counts.clock <= began:
        raise errors.RoleFailed(
            f"{error}\nit is not started again: it has saved nothing since step "
            f"{began:,}, where it began"
        ) from error
    return saved


def _next(run: Run, saved: Checkpoint, error: errors.RoleFailed) -> Run:
    """The run of the next generation; records and tells why there is one."""
    lease = generation.take(run.directory)
    [reason, *_] = str(error).split("; its last lines")
    step = saved.counts.clock
    events.append(
        run.directory,
        "generation",
        number=lease.number,
        host=lease.host,
        steps=step,
        line=reason,
    )
    print(
        f"{reason}; the program is started again from step {step:,}, as generation "
        f"{lease.number}",
        file=sys.stderr,
        flush=True,
    )
    return run._replace(resume=saved, lease=lease)
