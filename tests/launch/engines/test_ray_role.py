"""What the Ray actor of a role does, without Ray."""

import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

import munchausen
from launch.engines import ray_role
from launch.engines.ray_role import Order, RayRole

# JAX warns of every fork. The child runs another program at once.
pytestmark = pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")

LONG = 3 * (1 << 18) // 2 + 7  # bytes: two answers


@pytest.fixture
def role(monkeypatch):
    """A role whose process runs a line of Python; whatever is left is killed."""
    made = RayRole(str(munchausen.ROOT))
    monkeypatch.setattr(
        munchausen,
        "command",
        lambda entry, *flags: [sys.executable, "-c", entry, *flags],
    )
    yield made
    made.kill()
    made._log.close()


def order(code, work="/", variables=(), accelerators=False):
    return Order(work, b"bytes", code, ["--x=3"], dict(variables), accelerators)


def report(role, offset=0, seconds=20):
    """The report with the exit code."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = role.poll(offset)
        if found.code is not None:
            return found
        time.sleep(0.02)
    raise AssertionError("the process did not end")


def is_running(pid):
    """Whether a process lives; init may take a while to collect a dead one."""
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "zombie" not in status.read_text()


def test_it_runs_the_bytes_with_flags_variables_and_working_directory(role, tmp_path):
    code = (
        "import os, sys; path = sys.argv[1].partition('=')[2];"
        "print(open(path).read(), sys.argv[2:], os.getcwd(), os.environ['MUNCH'])"
    )
    first = role.start(order(code, str(tmp_path), {"MUNCH": "5"}))
    found = report(role)
    assert (found.pid, found.code) == (first.pid, 0)
    said = f"bytes ['--lp_task_id=0', '--x=3'] {tmp_path} 5\n"
    assert found.log.decode() == said


def test_a_host_without_the_working_directory_takes_another(role):
    role.start(order("import os; print(os.getcwd())", "/no/such/folder"))
    assert report(role).log.decode().strip() == str(munchausen.ROOT)


def test_the_code_comes_after_the_last_byte_of_the_log(role):
    role.start(order(f"print('a' * {LONG}); raise SystemExit(7)"))
    offset, code = 0, None
    for _ in range(400):
        found = role.poll(offset)
        offset, code = offset + len(found.log), found.code
        if code is not None:
            break
        time.sleep(0.02)
    assert (offset, code) == (LONG + 1, 7)


def test_a_report_that_was_lost_can_be_had_again(role):
    role.start(order("print('once')"))
    assert report(role).log == report(role).log == b"once\n"
    assert report(role, offset=3).log == b"e\n"


def test_a_signal_reaches_the_process_and_kill_ends_its_children(role):
    sleeping = "import subprocess as s, sys; p = s.Popen(['sleep', '99']);"
    role.start(order(f"{sleeping} print(p.pid, flush=True); p.wait()"))
    offset = 0
    while not (log := role.poll(offset).log):
        time.sleep(0.02)
    role.kill()
    assert report(role).code == -signal.SIGKILL
    deadline = time.monotonic() + 20
    while is_running(int(log)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    role.signal(signal.SIGTERM)  # too late, and no error
    role.dump_stacks()


def test_a_role_has_no_variables_of_ray():
    own = {
        "PATH": "/bin",
        "RAY_JOB_ID": "1",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "0",
        "PYTHONBREAKPOINT": "ray.util",
    }
    sent = {"OMP_NUM_THREADS": "4", "JAX_PLATFORMS": "cpu"}
    assert ray_role.variables_of_role(own, sent, accelerators=False) == {
        "PATH": "/bin",
        "OMP_NUM_THREADS": "4",
        "JAX_PLATFORMS": "cpu",
    }
    learners = ray_role.variables_of_role(own, {}, accelerators=True)
    assert learners == {"PATH": "/bin", "CUDA_VISIBLE_DEVICES": "0"}


def test_ports_are_held_until_the_process_starts(role):
    addresses = role.reserve("127.0.0.1", (0, 0), 2)
    assert len(set(addresses)) == 2
    port = int(addresses[1].removeprefix("127.0.0.1:"))
    with pytest.raises(OSError):
        socket.create_server(("", port))
    role.start(order("pass"))
    socket.create_server(("", port)).close()


def test_a_shared_directory_is_read_and_written(role, tmp_path):
    (tmp_path / "token").write_text("abc")
    text, _, answer = role.check_directory(str(tmp_path), "token").partition(" ")
    assert text == "abc"
    assert (tmp_path / answer).read_text() == "abc"
    assert role.check_directory("/no/such/folder", "token") == ""
    assert len(os.listdir(tmp_path)) == 2
