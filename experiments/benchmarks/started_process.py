"""Starts processes, pauses and ends them; none of them survives a signal."""

import contextlib
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import psutil

from experiments.benchmarks.measure import BenchFailed
from launch.engines import signals
from launch.errors import RunStopped

_END_SECONDS = 60.0
_TAIL_LINES = 12


class Started:
    """A started process that other measurements can pause.

    Attributes:
        pid: of the process.
    """

    def __init__(self, process: subprocess.Popen, output: BinaryIO):
        """Takes over the process, which writes to `output`."""
        self._process, self._output = process, output
        self.pid = process.pid

    def check(self, when: str) -> None:
        """Raises if the process has ended.

        Args:
            when: completes "the run ended ..." in the message.

        Raises:
            BenchFailed: it has; the message has its exit code and its last lines.
        """
        code = self._process.poll()
        if code is not None:
            self._output.seek(0)
            text = self._output.read().decode(errors="replace").strip()
            said = [f"the run ended {when}, with exit code {code}"]
            raise BenchFailed("\n".join(said + text.splitlines()[-_TAIL_LINES:]))

    def pause(self) -> None:
        """Stops the process and its descendants where they are."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Continues the process and its descendants."""
        self._signal(signal.SIGCONT)

    def end(self) -> None:
        """Ends the process with SIGTERM, or all its descendants by force after 60 s."""
        family = self._family()
        self._process.send_signal(signal.SIGTERM)
        self.resume()  # a paused process receives SIGTERM only now
        try:
            self._process.wait(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired:
            family = self._family()
        for each in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        self._process.wait()

    def _signal(self, number: int) -> None:
        for each in self._family():
            with contextlib.suppress(psutil.NoSuchProcess):
                each.send_signal(number)

    def _family(self) -> list[psutil.Process]:
        """The process and its descendants; none if it has ended."""
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            return [process, *process.children(recursive=True)]
        return []


@contextlib.contextmanager
def started(command: Sequence[str], cwd: Path | None = None) -> Iterator[Started]:
    """Context with a process in a session without a terminal; the end ends it.

    Args:
        command: program and arguments.
        cwd: its current folder; None: this process's.
    """
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl+C reaches it through this process
        )
        one = Started(process, output)
        try:
            yield one
        finally:
            one.end()


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """Context with a temporary folder; a process may still write when it is removed."""
    made = Path(tempfile.mkdtemp(prefix="munchausen-bench-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextlib.contextmanager
def ended_in_order() -> Iterator[None]:
    """Context in which a signal that asks this process to end leaves nothing behind.

    The first such signal raises an exception in the main thread, so that processes are
    ended and folders removed on its way; later ones are ignored.

    Raises:
        KeyboardInterrupt: SIGINT came.
        RunStopped: SIGTERM, SIGHUP, SIGUSR1 or SIGUSR2 came.
    """
    came: list[int] = []
    with signals.handling() as install:

        def handle(number: int, frame: Any) -> None:
            install(lambda *_: None)
            came.append(number)
            # Libraries may catch every `Exception`.
            raise KeyboardInterrupt

        install(handle)
        try:
            yield
        except KeyboardInterrupt:
            if came and came[0] != signal.SIGINT:
                name = signal.Signals(came[0]).name
                raise RunStopped(f"stopped by {name}", came[0]) from None
            raise
