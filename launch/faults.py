"""What can end a run before its time."""

import contextlib
import math
import os
import signal
from collections.abc import Iterator, Mapping
from typing import Any

import dm_env
import numpy as np

_FEW = 32  # numbers that Python adds up faster than numpy silences its warnings


class Interrupted(Exception):
    """A signal ended the run early, in order.

    Attributes:
        signal: its number.
    """

    def __init__(self, number: int):
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.signal = number


class NotFinite(Exception):
    """A loss or an environment gave NaN or infinity; the message says which."""


class DiskFull(Exception):
    """A log could not be written; the message says where."""


class RoleFailed(Exception):
    """A role died; the message names it and ends with its last log lines."""


@contextlib.contextmanager
def caught_signals(exit_at_second: bool = True) -> Iterator[list[int]]:
    """Collects the numbers of SIGINT, SIGTERM and SIGHUP in a list.

    SIGHUP, by which a terminal that closes ends what it started, stays ignored where
    `nohup` has seen to that.

    Args:
        exit_at_second: whether a second signal ends this process at once.
    """
    caught: list[int] = []

    def handle(number: int, frame: Any) -> None:
        caught.append(number)
        if exit_at_second and len(caught) > 1:
            os._exit(128 + number)

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    previous = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield caught
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def check_timestep(timestep: dm_env.TimeStep, actor_steps: int) -> None:
    """Raises NotFinite if a lane's reward, discount or observation is NaN or infinite.

    Sums are checked first: one number tells about all, and it is the hot path. Integers
    are always finite.
    """
    for name in ("reward", "discount", "observation"):
        values = getattr(timestep, name)
        if values.dtype.kind != "f" or _sums_to_a_number(values):
            continue
        finite = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
        for lane in np.flatnonzero(~finite):
            raise NotFinite(
                f"the environment gave a {name} of {values[lane]} in lane {lane} at "
                f"actor step {actor_steps}"
            )


def _sums_to_a_number(values: np.ndarray) -> bool:
    if values.size <= _FEW:
        return math.isfinite(sum(values.ravel().tolist()))
    with np.errstate(invalid="ignore", over="ignore"):  # infinities may cancel
        return math.isfinite(values.sum())


def check_metrics(metrics: Mapping[str, float], learner_steps: int) -> None:
    """Raises NotFinite if a metric is NaN or infinite; a loss names its network."""
    for name, value in metrics.items():
        if not math.isfinite(value):
            what = f"loss of network {name[:-5]}" if name.endswith("_loss") else name
            raise NotFinite(f"{what} is {value} at learner step {learner_steps}")
