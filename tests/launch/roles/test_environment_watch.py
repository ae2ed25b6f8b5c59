"""An environment that hangs ends its process; one that is slow or idle does not."""

import subprocess
import sys
import time

import numpy as np
import pytest

from launch.roles import environment_watch
from launch.roles.environment_watch import WatchedEnvironment

HANGS = """
import sys, threading
from launch.roles.environment_watch import WatchedEnvironment

class Environment:
    def step(self, actions):
        hangs_here()
    def reset(self):
        hangs_here()

def hangs_here():
    threading.Event().wait()

watched = WatchedEnvironment(Environment(), 0.25)
getattr(watched, sys.argv[1])(*sys.argv[2:])
"""


@pytest.mark.parametrize("call", [("step", "3"), ("reset",)])
def test_a_call_that_does_not_return_ends_the_process_with_its_stack(call):
    ended = subprocess.run(
        [sys.executable, "-c", HANGS, *call],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 1
    assert "in hangs_here" in ended.stderr
    assert ended.stderr.splitlines()[-1] == (
        "the environment has not returned from a step or a reset for 0.25 s, half of "
        "--stall_seconds; above are the stacks of all threads"
    )


class Clock:
    """In the place of the running clock: the test lets the time pass."""

    def __init__(self):
        self.seconds, self.looks = 0.0, 0

    def now(self):
        self.looks += 1
        return self.seconds

    def pass_(self, seconds):
        """Lets time pass, until the watch has seen it."""
        self.seconds += seconds
        seen, deadline = self.looks, time.monotonic() + 60
        while self.looks < seen + 2 and time.monotonic() < deadline:
            time.sleep(0.01)


class Slow:
    """Each call takes a time of the clock."""

    num_environments = 3
    closed = False

    def __init__(self, clock):
        self.clock = clock

    def reset(self):
        self.clock.pass_(0.15)
        return "first"

    def step(self, actions):
        self.clock.pass_(0.15)
        if actions is None:
            raise ValueError("no action")
        return actions + 1

    def close(self):
        self.closed = True


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(environment_watch, "RunningClock", lambda: made)
    return made


@pytest.fixture
def ended(monkeypatch, clock):
    """The times at which the process would have ended."""
    times = []
    monkeypatch.setattr(
        WatchedEnvironment, "_end", lambda self: times.append(clock.seconds)
    )
    return times


def test_slow_calls_and_pauses_between_them_are_no_hanging(clock, ended):
    slow = Slow(clock)
    watched = WatchedEnvironment(slow, 0.2)
    assert watched.reset() == "first"
    for _ in range(2):
        np.testing.assert_array_equal(watched.step(np.arange(3)), [1, 2, 3])
    clock.pass_(0.5)  # as an actor that waits for the rate limiter
    with pytest.raises(ValueError, match="no action"):
        watched.step(None)
    clock.pass_(0.5)
    assert not ended
    watched.close()
    assert slow.closed
    assert watched.num_environments == 3 and not hasattr(watched, "score")


def test_the_time_of_a_call_begins_with_the_call(clock, ended):
    slow = Slow(clock)
    slow.reset = lambda: [clock.pass_(0.125) for _ in range(3)]
    watched = WatchedEnvironment(slow, 0.25)
    clock.pass_(7.0)
    watched.reset()
    # The watch sees the call before or after the first 0.125 s of it.
    assert 7.25 <= min(ended) <= 7.375
    watched.close()
