"""One writer for each run directory, for as long as any of its processes lives."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading

import pytest

from launch.errors import RunDirectoryError
from launch.runs.lock import FILE, adopted, is_held, locked, take, turn

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


def test_a_process_that_only_looks_keeps_nobody_out(tmp_path, monkeypatch):
    with (tmp_path / FILE).open("w") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        pauses = []

        def pause(seconds):
            pauses.append(seconds)
            fcntl.flock(looking, fcntl.LOCK_UN)

        monkeypatch.setattr("launch.runs.lock.time.sleep", pause)
        with locked(tmp_path):
            assert len(pauses) == 1


def test_a_lock_is_passed_to_a_child_which_holds_it_alone_then(tmp_path):
    script = """
import sys
from launch.runs.lock import adopted
with adopted(int(sys.argv[1])):
    print("held", flush=True)
    input()
print("free", flush=True)
input()
"""
    with take(tmp_path) as file:
        child = subprocess.Popen(
            [sys.executable, "-c", script, str(file.fileno())],
            pass_fds=[file.fileno()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
    with child:
        assert child.stdout.readline() == "held\n"
        assert is_held(tmp_path)
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.readline() == "free\n"
        assert not is_held(tmp_path)
        child.communicate("\n")


def test_the_process_that_adopts_a_lock_keeps_others_out(tmp_path):
    with take(tmp_path) as file:
        descriptor = os.dup(file.fileno())
    with adopted(descriptor):
        assert is_held(tmp_path)
    assert not is_held(tmp_path)


def test_turns_in_a_folder_come_one_after_the_other(tmp_path):
    folder, entered = tmp_path / "runs" / "dqn", threading.Event()

    def enter():
        with turn(folder):
            entered.set()

    waiting = threading.Thread(target=enter)
    with turn(folder):
        waiting.start()
        assert not entered.wait(0.2)
    waiting.join(20)
    assert entered.is_set()


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


@pytest.mark.parametrize(
    "number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL]
)
def test_a_file_system_without_locks_is_named_and_used(
    tmp_path, monkeypatch, capsys, number
):
    def unsupported(file, how):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with locked(tmp_path):
        assert not is_held(tmp_path)
    assert capsys.readouterr().err == (
        f"munchausen: the file system of {tmp_path} has no locks "
        f"({os.strerror(number)}): start no second process that writes this run\n"
    )


def test_a_lock_that_fails_otherwise_is_an_error(tmp_path, monkeypatch):
    def broken(file, how):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", broken)
    with pytest.raises(RunDirectoryError, match=r"cannot lock .*Input/output error"):
        with locked(tmp_path):
            pass


def test_a_lock_is_seen_by_others(tmp_path):
    assert not is_held(tmp_path)
    with locked(tmp_path):
        assert is_held(tmp_path)
    assert not is_held(tmp_path)
