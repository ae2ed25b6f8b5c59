"""Starts commands for tests, and finds every process that they leave."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil


class Command:
    """A command that runs in a separate directory, and every process it starts.

    Processes are recognised by their working directory: it stays the same when their
    parents die, and no other test uses it.
    """

    def __init__(self, directory: Path):
        self.directory = directory
        self.process: subprocess.Popen | None = None

    def start(self, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        return self

    def wait(self, seconds=100):
        """Waits for the end; returns the exit code, stdout and stderr."""
        out, err = self.process.communicate(timeout=seconds)
        return self.process.returncode, out, err

    def alive(self):
        """Titles of all processes except the command itself, by process id."""
        return {
            process.pid: title
            for process in psutil.process_iter()
            if process.pid != self.process.pid
            and (title := self._title(process)) is not None
        }

    def await_role(self, title, seconds=60):
        """Waits for the role with this title, and returns its process id."""
        for _ in self.patiently(seconds, title):
            for pid, found in self.alive().items():
                if title in found:
                    return pid

    def await_all_gone(self, seconds):
        for _ in self.patiently(seconds, "the end of all processes"):
            if not self.alive():
                return

    def patiently(self, seconds, what):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            yield
            time.sleep(0.05)
        alive = "\n".join(title.strip() for title in self.alive().values())
        raise AssertionError(f"waited {seconds} s in vain for {what}; alive:\n{alive}")

    def clean_up(self):
        if self.process is not None:
            for pid in [self.process.pid, *self.alive()]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.communicate()

    def _title(self, process):
        with contextlib.suppress(psutil.Error, OSError):  # not ours, or gone meanwhile
            if Path(process.cwd()) == self.directory:
                return " ".join(process.cmdline())
        return None
