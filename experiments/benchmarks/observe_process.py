"""Starts whole runs through the command line and observes them from outside."""

import contextlib
import functools
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil

import munchausen
from experiments.benchmarks.measure import BenchFailed
from experiments.benchmarks.others_cpu import OthersCpu
from experiments.benchmarks.started_process import Started, folder, started

_NO_REST = (
    *("--checkpoint.replay", "false", "--evaluation.episodes", "1"),
    *("--evaluation.period", "1_000_000_000", "--checkpoint.period", "1_000_000_000"),
)
_WARM_UP_SECONDS = 4.0
_PATIENCE_SECONDS = 240.0
LIBRARIES = {
    "jax": "/jaxlib/",
    # Not the small library of TensorFlow's that Courier and Reverb are linked to.
    "tensorflow": "/_pywrap_tensorflow_internal.so",
    "reverb": "/reverb/",
    "launchpad": "/courier/",
}


class Process(NamedTuple):
    """A process of a run.

    Attributes:
        role: such as `actor/0`; `launcher` or `local` for the started process.
        peak: its peak memory, in bytes.
        libraries: the names in `LIBRARIES` that the process has loaded.
    """

    role: str
    peak: int
    libraries: tuple[str, ...]


class Watched(NamedTuple):
    """Observations of a run.

    Attributes:
        first: seconds from the command to the first learner step.
        processes: processes of the run, after its warm-up.
        others: cores that other processes used until the first learner step.
    """

    first: float
    processes: tuple[Process, ...]
    others: float


@functools.cache
def watch(line: tuple[str, ...], mode: str) -> Watched:
    """Starts a run, observes it and ends it; results are cached by arguments.

    Args:
        line: the arguments of `munchausen train`.
        mode: `local` or `processes`.

    Raises:
        BenchFailed: the run ended, or had no learner step in four minutes.
    """
    others = OthersCpu()
    with _running(line, mode) as (run, rows):
        first = _first(run, rows)
        cores = others.cores()
        _warm_up(run, rows)
        main = "local" if mode == "local" else "launcher"
        return Watched(first, _processes(run.pid, main), cores)


class InTurns:
    """A run that is paused except during `go`, so that others can be measured."""

    def __init__(self, run: Started, rows: "_Rows", counted: str):
        """Pauses the run."""
        self._run, self._rows, self._counted = run, rows, counted
        run.pause()

    def go(self, seconds: float) -> float:
        """Continues the run for at least `seconds` and until it has logged three rows.

        Returns:
            Its steps per second.

        Raises:
            BenchFailed: the run ended.
        """
        self._rows.read()
        times: dict[int, float] = {}
        end = time.monotonic() + seconds
        self._run.resume()
        while time.monotonic() < end or len(times) < 3:
            self._run.check("while it was measured")
            time.sleep(min(seconds, 0.05))
            times |= {row[self._counted]: row["wall_time"] for row in self._rows.read()}
        self._run.pause()
        return rate(times)


def rate(times: dict[int, float]) -> float:
    """Steps per second from the second count on: the run may pause before it."""
    _, (first, began), *_, (last, ended) = times.items()
    return (last - first) / (ended - began)


@contextlib.contextmanager
def in_turns(
    line: Sequence[str], mode: str = "local", counted: str = "actor_steps"
) -> Iterator[InTurns]:
    """Context with a run that is paused after its warm-up, and ended at the end.

    Args:
        line: the arguments of `munchausen train`.
        mode: `local` or `processes`.
        counted: the column of its log that counts its steps.

    Raises:
        BenchFailed: the run ended, or had no learner step in four minutes.
    """
    with _running(line, mode) as (run, rows):
        _first(run, rows)
        _warm_up(run, rows)
        yield InTurns(run, rows, counted)


@contextlib.contextmanager
def _running(line: Sequence[str], mode: str) -> Iterator[tuple[Started, "_Rows"]]:
    """Starts a run in a temporary directory; ends it and removes the directory."""
    with folder() as runs:
        words = [*line, *_NO_REST, "--launch", mode, "--runs", str(runs)]
        with started(munchausen.command("experiments.cli", "train", *words)) as run:
            yield run, _Rows(runs)


def _first(run: Started, rows: "_Rows") -> float:
    """Waits for the first learner step; returns the seconds that passed."""
    began = time.monotonic()
    while not rows.newest.get("learner_steps"):
        run.check("before its first learner step")
        if time.monotonic() - began > _PATIENCE_SECONDS:
            raise BenchFailed(f"no learner step in {_PATIENCE_SECONDS:g} seconds")
        rows.read()
        time.sleep(0.05)
    return time.monotonic() - began


def _warm_up(run: Started, rows: "_Rows") -> None:
    """Waits until the run has logged what it did in some seconds."""
    end = rows.newest["wall_time"] + _WARM_UP_SECONDS
    while rows.newest["wall_time"] < end:
        run.check("while it warmed up")
        rows.read()
        time.sleep(0.05)


class _Rows:
    """Reads the metrics of the only run below a directory as they are written."""

    def __init__(self, runs: Path):
        self._runs = runs
        self._offset = 0
        self.newest: dict[str, Any] = {}

    def read(self) -> list[dict[str, Any]]:
        """Reads and returns the new rows."""
        rows: list[dict[str, Any]] = []
        for path in self._runs.glob("*/*/*/metrics.jsonl"):
            with path.open("rb") as file:
                file.seek(self._offset)
                new = file.read()
            complete = new[: new.rfind(b"\n") + 1]
            self._offset += len(complete)
            rows += map(json.loads, complete.splitlines())
        if rows:
            self.newest = rows[-1]
        return rows


def _processes(pid: int, main: str) -> tuple[Process, ...]:
    """The started process, and the processes of the roles that it started."""
    found = [_process(pid, main)]
    for child in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(psutil.Error, OSError):
            words = " ".join(child.cmdline()).split()
            if words and words[0] == "munchausen":
                found.append(_process(child.pid, words[1]))
    return tuple(sorted(found))


def _process(pid: int, role: str) -> Process:
    status = Path(f"/proc/{pid}/status").read_text()
    [peak] = [line.split()[1] for line in status.splitlines() if "VmHWM" in line]
    maps = Path(f"/proc/{pid}/maps").read_text()
    loaded = (name for name, part in LIBRARIES.items() if part in maps)
    return Process(role, int(peak) * 1024, tuple(loaded))
