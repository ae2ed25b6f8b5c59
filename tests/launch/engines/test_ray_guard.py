"""The guard of a Ray that a launcher started, without Ray."""

import signal
import time

import psutil
import pytest

# The child starts a new session, as Ray's agents do, and outlives its parent.
LAUNCHER = """
import subprocess, sys, time
from launch.engines import ray_guard
with ray_guard.guarded(sys.argv[1]):
    parent = subprocess.Popen(["sh", "-c", "setsid sleep 60 & echo $!; wait"])
    time.sleep(3)  # the guard has begun, and has looked
    parent.kill()
    time.sleep(float(sys.argv[2]))
"""


@pytest.mark.parametrize("kill", [True, False])
def test_nothing_is_left_however_the_launcher_ends(command, tmp_path, kill):
    folder = tmp_path / "ray"
    folder.mkdir()
    command.start("-c", LAUNCHER, str(folder), "60" if kill else "0")
    child = int(command.process.stdout.readline())
    if kill:
        time.sleep(4)  # the guard has seen the child, whose parent is gone
        command.process.kill()
    code, _, err = command.wait(30)
    assert (code, err) == (-signal.SIGKILL if kill else 0, "")
    command.await_all_gone(30)
    deadline = time.monotonic() + 30
    while psutil.pid_exists(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not psutil.pid_exists(child) and not folder.exists()
