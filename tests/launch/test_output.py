"""Output that nothing accepts any more: the process goes on, and says nothing."""

import os
import subprocess
import sys

import pytest

from launch import output

SCRIPT = """
import os, sys
from launch import output

output.guard()
for _ in range(3):
    print("x" * 70_000, flush=True)
    print("y", file=sys.stderr, flush=True)
os.write(1, b"z")  # as libraries of C++ do
with open("done", "w") as file:
    assert file.fileno() > 2
    print(sorted(output.lost), file=file)
"""


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "redirection, lost",
    [
        ("2>&1 | head -c 1", [1, 2]),
        ("2>/dev/null | head -c 1", [1]),
        (">/dev/full 2>&1", [1, 2]),
        (">/dev/null 2>&1", []),
        (">&- 2>&- <&-", []),
    ],
)
def test_a_process_goes_on_without_its_output(redirection, lost, unbuffered, tmp_path):
    command = f'{sys.executable} -c "$SCRIPT" {redirection}; exit ${{PIPESTATUS[0]}}'
    environment = {
        **os.environ,
        "SCRIPT": SCRIPT,
        "PYTHONUNBUFFERED": unbuffered,
        "PYTHONPATH": os.getcwd(),
    }
    done = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "done").read_text() == f"{lost}\n"


def test_a_terminal_that_takes_its_time_gets_everything(tmp_path):
    """Another program may have made it non-blocking."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    script = "from launch import output; output.guard(); print('x' * 300_000)"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=writing, stderr=subprocess.PIPE
    ) as process:
        os.close(writing)
        with open(reading, "rb") as file:
            assert file.read() == b"x" * 300_000 + b"\n"
    assert process.returncode == 0


def test_a_signal_handler_may_write_to_nothing():
    reading, writing = os.pipe()
    output.write(writing, b"first")
    assert os.read(reading, 5) == b"first"
    os.close(reading)
    output.write(writing, b"lost")
    os.close(writing)
