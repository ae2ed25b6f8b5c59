"""The guard of a Ray that a launcher started, without Ray."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from launch.engines import ray_guard

SLEEP = [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"]


def started(**variables):
    process = subprocess.Popen(
        SLEEP, env={**os.environ, **variables}, stdout=subprocess.PIPE
    )
    process.stdout.readline()
    return process


def test_only_the_processes_of_one_ray_are_killed(tmp_path):
    ours, others = tmp_path / "ours", tmp_path / "others"
    ours.mkdir()
    (ours / "socket").touch()
    killed = started(**{ray_guard.FOLDER: str(ours)})
    kept = [started(**{ray_guard.FOLDER: str(others)}), started()]
    try:
        ray_guard.end(str(ours))
        assert killed.wait(10) == -signal.SIGKILL
        assert [process.poll() for process in kept] == [None, None]
        assert not ours.exists()
    finally:
        for process in [killed, *kept]:
            process.kill()
            process.communicate()


LAUNCHER = """
import subprocess, sys, time
from launch.engines import ray_guard
with ray_guard.guarded(sys.argv[1]):
    child = subprocess.Popen(["sleep", "60"])
    print(child.pid, flush=True)
    time.sleep(float(sys.argv[2]))
"""


@pytest.mark.parametrize("kill", [True, False])
def test_nothing_is_left_however_the_launcher_ends(command, tmp_path, kill):
    folder = tmp_path / "ray"
    folder.mkdir()
    command.start("-c", LAUNCHER, str(folder), "60" if kill else "0")
    child = int(command.process.stdout.readline())
    if kill:
        command.process.kill()
    code, _, err = command.wait(30)
    assert (code, err) == (-signal.SIGKILL if kill else 0, "")
    command.await_all_gone(30)
    deadline = time.monotonic() + 10
    while psutil.pid_exists(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not psutil.pid_exists(child) and not folder.exists()
