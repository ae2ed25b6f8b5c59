"""Ctrl+C in a real terminal, at every stage of a run."""

import contextlib
import fcntl
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import threading
import time

import pytest

from launch.runs import checkpoint
from launch.runs.logs import read_evaluations
from tests.whole_runs import catch_commands

pytestmark = [pytest.mark.launchpad, pytest.mark.slow]
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


class Terminal:
    """A terminal in which a command runs in the foreground."""

    def __init__(self, command):
        self._command = command
        self._ours, self._theirs = pty.openpty()
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, b"\x30\x00\xa0\x00" + bytes(4))
        self._before = termios.tcgetattr(self._theirs)
        self._bytes = bytearray()
        self._reader = threading.Thread(target=self._read)

    def munchausen(self, line):
        # `setsid` gives it the terminal. A function to run before exec would have this
        # process fork, of which JAX warns once an earlier test has used it.
        program = ["setsid", "--ctty", sys.executable, "-m", "experiments.cli"]
        self._command.process = subprocess.Popen(
            [*program, *line.split()],
            cwd=self._command.directory,
            env={**os.environ, "TERM": "xterm-256color"},
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
        )
        self._reader.start()

    def press_ctrl_c(self):
        os.write(self._ours, b"\x03")

    def end(self, seconds):
        """Waits for the command; returns its exit code and what it showed."""
        code = self._command.process.wait(seconds)
        assert termios.tcgetattr(self._theirs) == self._before
        os.close(self._theirs)
        self._reader.join()
        return code, self._bytes.decode(errors="replace")

    def shows(self, text):
        return text.encode() in self._bytes

    def _read(self):
        with contextlib.suppress(OSError):  # all others have closed it
            while new := os.read(self._ours, 4096):
                self._bytes += new


@pytest.fixture
def terminal(command):
    return Terminal(command)


def check_end(command, shown):
    """No process is left, there is a message of one line, and the cursor is shown."""
    assert not command.alive()
    assert "Traceback" not in shown and "did not end" not in shown, shown
    assert shown.rfind(SHOW) >= shown.rfind(HIDE)
    [said] = re.findall(r"munchausen: (.*?)\r\n", shown)
    return said


def await_stage(command, terminal, stage):
    """Waits for a moment before the first step."""
    if stage == "imports":
        time.sleep(0.6)
        return
    for _ in command.patiently(60, stage):
        if stage == "the run directory" and terminal.shows("seed0-"):
            return
        if stage == "a role" and any(
            "munchausen" in t for t in command.alive().values()
        ):
            return


STARTS = [
    (mode, stage)
    for mode in ("local", "processes")
    for stage in ("imports", "the run directory")
]


@pytest.mark.parametrize("mode, stage", [*STARTS, ("processes", "a role")])
def test_ctrl_c_during_the_start_ends_it(command, terminal, mode, stage):
    terminal.munchausen(catch_commands.line(mode))
    await_stage(command, terminal, stage)
    terminal.press_ctrl_c()
    code, shown = terminal.end(60)
    assert code == 130
    said = check_end(command, shown)
    saved = [
        catch_commands.saved_steps(path)
        for path in command.directory.glob("runs/*/*/seed*")
    ]
    if any(saved):
        assert "continue with --resume" in said
    else:
        assert said in ("interrupted", "stopped by SIGINT; nothing was saved yet")


@pytest.mark.parametrize("mode", ["local", "threads", "processes"])
def test_ctrl_c_during_training_saves_and_says_how_to_resume(command, terminal, mode):
    terminal.munchausen(catch_commands.line(mode))
    directory = catch_commands.await_run(
        command, catch_commands.is_evaluated, "training"
    )
    terminal.press_ctrl_c()
    code, shown = terminal.end(60)
    assert code == 130
    name = directory.relative_to(command.directory)
    said = check_end(command, shown)
    assert said == f"stopped by SIGINT; continue with --resume {name}"
    rows = read_evaluations(directory)
    saved = checkpoint.newest(directory).counts
    assert saved.actor_steps >= rows[-1].counts.actor_steps
    assert saved.learner_steps > 0


@pytest.mark.parametrize("mode", ["local", "processes"])
def test_ctrl_c_during_the_shutdown_does_no_harm(command, terminal, mode):
    terminal.munchausen(catch_commands.line(mode).replace("1000000", "2000"))

    def is_evaluated_to_the_end(directory):
        rows = read_evaluations(directory)
        return rows and rows[-1].grid == 2000

    directory = catch_commands.await_run(command, is_evaluated_to_the_end, "the end")
    terminal.press_ctrl_c()
    code, shown = terminal.end(60)
    assert not command.alive()
    assert "Traceback" not in shown and "did not end" not in shown, shown
    assert shown.rfind(SHOW) >= shown.rfind(HIDE)
    name = directory.relative_to(command.directory)
    if code == 0:  # it had ended before
        assert "final evaluation return" in shown
    else:
        assert code == 130
        said = check_end(command, shown)
        assert said in ("interrupted", f"stopped by SIGINT; {name} was complete")
    assert checkpoint.newest(directory).counts.actor_steps >= 2000


@pytest.mark.parametrize("mode", ["local", "threads", "processes"])
def test_ctrl_c_twice_ends_at_once(command, terminal, mode):
    terminal.munchausen(catch_commands.line(mode))
    catch_commands.await_run(command, catch_commands.is_evaluated, "training")
    terminal.press_ctrl_c()
    time.sleep(0.3)
    terminal.press_ctrl_c()
    code, shown = terminal.end(10)
    # While the interpreter ends, the signal itself may end the process: a shell shows
    # 130 for both.
    assert code in (130, -signal.SIGINT)
    assert not command.alive()
    assert "Traceback" not in shown
    assert shown.rfind(SHOW) >= shown.rfind(HIDE)
