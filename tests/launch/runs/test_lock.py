"""One writer for each run directory, for as long as any of its processes lives."""

import os
import signal
import subprocess
import sys

import pytest

from launch.errors import RunDirectoryError
from launch.runs.lock import locked

LAUNCHER = """
import os, subprocess, sys
from pathlib import Path
from launch.runs.lock import locked

with locked(Path(sys.argv[1])):
    # A role that continues to run when its launcher is killed.
    command = ["sleep", "60"]
    role = subprocess.Popen(command, close_fds=False, stdout=subprocess.DEVNULL)
    print(role.pid, flush=True)
    os.abort()
"""


def test_a_held_lock_keeps_others_out(tmp_path):
    with locked(tmp_path):
        with pytest.raises(RunDirectoryError, match="written by another process"):
            with locked(tmp_path):
                pass
    with locked(tmp_path):
        pass


def test_a_role_that_outlives_its_launcher_keeps_others_out(tmp_path):
    command = [sys.executable, "-c", LAUNCHER, str(tmp_path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, start_new_session=True)
    assert done.returncode < 0
    try:
        with pytest.raises(RunDirectoryError, match="written by another process"):
            with locked(tmp_path):
                pass
    finally:
        os.kill(int(done.stdout), signal.SIGKILL)
