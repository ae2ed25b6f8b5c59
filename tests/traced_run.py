"""Traces one command line: the modules it imports, the functions its run executes.

This file runs itself in another process, in which `experiments.cli.main` executes the
command line. Of our packages it records there:

- imported: every module that is loaded when the process ends;
- executed: every function that ran on the way from an environment to the loss. The
  "door" is the function of ours through which the command line starts the run,
  recognised because a loss ran inside it. A function counts if it ran inside the door,
  not while modules or settings were made, and for none of the purposes below. The
  door's file and `experiments` (command line and reports) do not count.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

PACKAGES = ("agents", "environments", "launch", "experiments")
COMMAND_LINE = "experiments"


class Purpose(NamedTuple):
    """A reason why modules need not be read to follow an agent's data to its loss.

    Attributes:
        name: name of the purpose.
        words: a module with one of these words in its dotted name serves the purpose;
            so do functions that only such a module calls.
        reason: why these modules are left out.
    """

    name: str
    words: tuple[str, ...]
    reason: str

    def has(self, module: str) -> bool:
        """Whether a module serves this purpose."""
        words = "|".join(self.words)
        return re.search(rf"(^|[._])({words})([._]|$)", module) is not None


PURPOSES = (
    Purpose(
        "begin",
        (
            "preflight",
            "run_directory",
            "existing_runs",
            "lock",
            "provenance",
            "experiment",
            "build",
            "context",
        ),
        "they describe a run, and decide whether and where it begins, before any data",
    ),
    Purpose(
        "record",
        ("logs?", "recorder", "dashboards", "progress", "idle_time"),
        "they log and show what happened; the learner never reads it",
    ),
    Purpose(
        "save",
        ("checkpoints?", "snapshot", "serialization", "schedule"),
        "they keep a run's state for another process; this one never reads it",
    ),
    Purpose(
        "guard",
        ("watchdog", "signals", "finite", "checks"),
        "they end a run that hangs, fails or was asked to stop, or refuse its settings",
    ),
    Purpose(
        "evaluate",
        ("evaluator", "evaluate", "evaluation"),
        "the episodes it plays are never stored, so never learned from",
    ),
)


class RunFailed(Exception):
    """The traced command line failed, or never computed a loss."""


class Record(NamedTuple):
    """Files and functions that a process used; files are relative to the root.

    Attributes:
        imported: files of imported modules.
        executed: functions that ran, by file.
        left_out: files that ran only for a purpose, with that purpose's name.
    """

    imported: list[str]
    executed: dict[str, list[str]]
    left_out: dict[str, str]


def run(root: Path, command: Sequence[str], *, traced: bool) -> Record:
    """Runs one command line in a separate process; its run directories are discarded.

    Args:
        root: the folder that holds the packages.
        command: arguments without `munchausen` and without `--runs`.
        traced: whether to record functions, which takes longer.

    Raises:
        RunFailed: the command line failed, or it was traced and computed no loss.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        own = [str(Path(__file__).resolve()), str(root), str(report), str(int(traced))]
        answer = subprocess.run(
            [sys.executable, *own, *command, "--runs", str(Path(folder) / "runs")],
            cwd=root,
            env={**os.environ, "JAX_PLATFORMS": "cpu"},
            capture_output=True,
            text=True,
            timeout=600,
        )
        if answer.returncode or not report.exists():
            said = (answer.stderr or answer.stdout).strip().splitlines()
            raise RunFailed(f"`{' '.join(command)}` failed: {' | '.join(said[-3:])}")
        record = Record(**json.loads(report.read_text()))
    if traced and not record.executed:
        raise RunFailed(f"`{' '.join(command)}` never called a loss of agents")
    return record


class Tracer:
    """Records which of our functions run, and inside which door."""

    def __init__(self, root: Path):
        """Makes a tracer, which records nothing before `start`.

        Args:
            root: the folder that holds the packages.
        """
        self._root = root
        self._names: dict[str, str] = {}  # dotted names, by file; "" if not ours
        self._seen: set[tuple[CodeType | None, str, str, str]] = set()
        self._doors: set[CodeType | None] = set()  # in which a loss ran

    def start(self) -> None:
        """Starts recording, in all threads."""
        threading.setprofile(self._event)
        sys.setprofile(self._event)

    def stop(self) -> None:
        """Stops recording."""
        sys.setprofile(None)
        threading.setprofile(None)

    def executed(self) -> dict[str, list[str]]:
        """The functions that ran inside the door and for no purpose, by file."""
        found: dict[str, list[str]] = {}
        for door, file, function, purpose in sorted(
            self._seen, key=lambda row: row[1:]
        ):
            if door in self._doors and not purpose:
                found.setdefault(file, []).append(function)
        return found

    def left_out(self) -> dict[str, str]:
        """The files that ran inside the door only for a purpose, with the purpose."""
        executed = self.executed()
        return {
            file: purpose
            for door, file, _, purpose in sorted(self._seen, key=lambda row: row[1:])
            if door in self._doors and file not in executed
        }

    def _event(self, frame: FrameType, event: str, argument: Any) -> None:
        if event != "call" or not self._is_function(frame.f_code):
            return
        door, purpose = None, ""
        for each in self._ours(frame):
            if each.f_code.co_name in ("<module>", "__post_init__"):
                return  # a module is being imported, or settings are being made
            name = self._name(each.f_code)
            if name.split(".")[0] != COMMAND_LINE:
                door = each.f_code
                purpose = next((p.name for p in PURPOSES if p.has(name)), purpose)
        if door is None:
            return
        code = frame.f_code
        file = str(Path(code.co_filename).relative_to(self._root))
        if code.co_filename != door.co_filename:
            self._seen.add((door, file, code.co_name, purpose))
        if "loss" in code.co_name and file.startswith("agents/") and not purpose:
            self._doors.add(door)

    def _is_function(self, code: CodeType) -> bool:
        """Whether code is one of our functions, not the body of a class or module."""
        name = self._name(code)
        optimized = code.co_flags & 1  # inspect.CO_OPTIMIZED
        return bool(optimized and name and name.split(".")[0] != COMMAND_LINE)

    def _ours(self, frame: FrameType | None) -> Iterator[FrameType]:
        """The frames of our modules, from `frame` outwards."""
        while frame is not None:
            if self._name(frame.f_code):
                yield frame
            frame = frame.f_back

    def _name(self, code: CodeType) -> str:
        """The dotted name of the code's module; empty if the module is not ours."""
        file = code.co_filename
        if file not in self._names:
            self._names[file] = _module_name(self._root, file)
        return self._names[file]


def _module_name(root: Path, file: str) -> str:
    path = Path(file)
    if not path.is_relative_to(root):
        return ""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts) if parts[0] in PACKAGES else ""


def _imported(root: Path) -> list[str]:
    """The files of our modules in this process; all must be below the root."""
    ours = [
        module.__file__
        for name, module in list(sys.modules.items())
        if name.split(".")[0] in PACKAGES and getattr(module, "__file__", None)
    ]
    return sorted({str(Path(file).relative_to(root)) for file in ours if file})


def main(arguments: Sequence[str]) -> int:
    """Runs the command line in this process and writes a `Record` as JSON.

    Args:
        arguments: root, report, whether to trace, and the command line.
    """
    root, report, traced, *command = arguments
    sys.path[0] = root  # in place of the folder of this file
    from experiments import cli

    tracer = Tracer(Path(root))
    if traced == "1":
        tracer.start()
    try:
        code = cli.main(command)
    finally:
        tracer.stop()
    record = Record(_imported(Path(root)), tracer.executed(), tracer.left_out())
    Path(report).write_text(json.dumps(record._asdict()))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
