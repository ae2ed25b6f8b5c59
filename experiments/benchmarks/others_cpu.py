"""CPU that the machine spends on processes that are not part of a benchmark."""

import contextlib
import time
from collections.abc import Iterable

import psutil

MOST = 0.2  # cores; with more, a figure has to be measured again


class OthersCpu:
    """Measures the cores that others use, from its construction on.

    Others are all processes except for this one and its descendants, the kernel's
    interrupts, and other machines to which a hypervisor gave this one's cores.
    """

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._before = _machine() - _own()

    def cores(self) -> float:
        """CPU seconds of others for each second so far."""
        spent = _machine() - _own() - self._before
        # The kernel counts the two in different ways; the difference may be negative.
        return max(0.0, spent) / (time.monotonic() - self._began)


def _machine() -> float:
    """Busy seconds of all cores since the machine started, from `/proc/stat`."""
    times = psutil.cpu_times()
    # Of `/proc/stat`, "user" contains the time of guests, and "iowait" is idle.
    names = ("user", "nice", "system", "irq", "softirq", "steal")
    return sum(getattr(times, name) for name in names)


def _own() -> float:
    """CPU seconds of this process and all its descendants, ended ones included."""
    process = psutil.Process()
    while True:
        tree = [process, *process.children(recursive=True)]
        spent = _spent(tree)
        # The time of a process that ends is from then on its parent's, which may have
        # been read already.
        if {*process.children(recursive=True)} == {*tree[1:]}:
            return spent


def _spent(tree: Iterable[psutil.Process]) -> float:
    seconds = 0.0
    for each in tree:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            seconds += times.user + times.system
            seconds += times.children_user + times.children_system
    return seconds
