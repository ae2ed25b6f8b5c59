"""A learner of several processes, which start, step and end together.

The processes are the replicas of the learner, or ranks. JAX connects them, so that each
sees the devices of all: an update is one computation on all devices, of which each rank
starts its part. All ranks must therefore take the same number of steps. The first one,
rank 0, decides how many at a time; it alone reports, saves and serves parameters to
other roles.
"""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax._src import distributed, xla_bridge
from jax._src.lib import xla_client
from jax.experimental import multihost_utils

from launch.errors import RankLost, Stopped
from launch.reach import own_address
from launch.roles.context import Context

_DECISION_SECONDS = 0.1  # between two decisions of the first rank
# A rank that is silent for this time, because it hangs or its host is gone, ends all.
_HEARTBEAT_SECONDS = 1
_MISSING_HEARTBEATS = 4
_START_SECONDS = 300  # in which all ranks must have started
# A rank that has died closes its connections. The others wait, so that the launcher
# first sees and names the one that died.
_HEAD_START_SECONDS = 1.0


def join(context: Context, ranks: int) -> None:
    """Connects this rank to the others; only before JAX has a backend.

    Args:
        context: of the learner; its index is the rank.
        ranks: K, the number of ranks.

    Raises:
        Stopped: the program ended before all ranks had started.
        RankLost: another rank did not start in time, or cannot be reached.
    """
    address = context.address("learner")
    failures: list[RuntimeError] = []

    def connect() -> None:
        try:
            # `jax.distributed.initialize` of this version does not take heartbeats.
            distributed.global_state.initialize(
                address,
                ranks,
                context.index,
                cluster_detection_method="deactivate",
                initialization_timeout=_START_SECONDS,
                service_heartbeat_interval_seconds=_HEARTBEAT_SECONDS,
                service_max_missing_heartbeats=_MISSING_HEARTBEATS,
                client_heartbeat_interval_seconds=_HEARTBEAT_SECONDS,
                client_max_missing_heartbeats=_MISSING_HEARTBEATS,
            )
        except RuntimeError as error:
            failures.append(error)

    # Connecting is deaf to a stop.
    thread = threading.Thread(target=connect, name="gang", daemon=True)
    thread.start()
    while thread.is_alive():
        if context.stop.is_set():
            raise Stopped
        thread.join(0.1)
    if failures:
        reason = " ".join(str(failures[0]).split())[:300]
        raise RankLost(
            f"learner {context.index} of {ranks} must reach the others through "
            f"{address}: {reason}"
        ) from failures[0]
    _connect_cpus(address)
    # If a rank is silent, JAX prints which one and aborts the others. The stacks of all
    # their threads would hide it in the last lines of their logs.
    signal.signal(signal.SIGABRT, signal.SIG_DFL)


def _connect_cpus(address: str) -> None:
    """Lets the CPUs of all ranks compute together, through this host's own address.

    JAX would take the address of the host's name, which is 127.0.1.1 on many hosts.

    Args:
        address: of the first rank, `host:port`.
    """
    own = own_address(address.rpartition(":")[0].strip("[]"))

    def make() -> Any:
        client = distributed.global_state.client
        return xla_bridge.make_cpu_client(
            xla_client._xla.make_gloo_tcp_collectives(client, hostname=own)
        )

    xla_bridge.register_backend_factory("cpu", make, priority=0, fail_quietly=False)


def agree(steps: int) -> int:
    """The number of steps that rank 0 gives, on each rank; every rank must call it.

    Args:
        steps: what rank 0 decides: steps until its next decision, or 0: all ranks
            leave. Other ranks give anything.
    """
    return int(multihost_utils.broadcast_one_to_all(np.int32(steps)))


def leave() -> None:
    """Parts from the others; every rank must call it, rank 0 through `Decisions`."""
    jax.distributed.shutdown()


@contextlib.contextmanager
def whole() -> Iterator[None]:
    """Context manager around the work of a rank, which needs all the others.

    Raises:
        RankLost: a computation failed, mostly because another rank has ended.
    """
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if jax.process_count() == 1:
            raise
        time.sleep(_HEAD_START_SECONDS)
        reason = " ".join(str(error).split())[:300]
        raise RankLost(
            "every learner must run as long as the others, but a computation of all of "
            f"them failed: {reason}; see the logs of the other learners"
        ) from error


class Decisions:
    """Rank 0's decisions: how many steps all ranks take until the next one."""

    def __init__(self) -> None:
        """Begins with one step at a time."""
        self._steps = 1
        self._began: float | None = None

    def next(self, left: int) -> int:
        """Decides, and tells the other ranks.

        Args:
            left: steps that may be taken at most, at least 1.
        """
        now = time.monotonic()
        if self._began is not None:
            fitting = int(
                _DECISION_SECONDS / max(now - self._began, 1e-6) * self._steps
            )
            self._steps = max(1, min(fitting, 2 * self._steps))
        self._began = now
        self._steps = min(self._steps, left)
        return agree(self._steps)

    def end(self) -> None:
        """Tells the other ranks that all have done their last step, and parts."""
        agree(0)
        leave()
