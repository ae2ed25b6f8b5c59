"""Starts whole runs through the command line and observes them from outside."""

import contextlib
import functools
import json
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil

import munchausen
from experiments.benchmarks.measure import BenchFailed

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
        actor_steps: per second, after the warm-up; 0 if steps were not counted.
        learner_steps: per second, after the warm-up; 0 if steps were not counted.
        processes: processes of the run; empty if steps were not counted.
    """

    first: float
    actor_steps: float
    learner_steps: float
    processes: tuple[Process, ...]


@functools.cache
def watch(line: tuple[str, ...], mode: str, seconds: float) -> Watched:
    """Starts a run, observes it and ends it; results are cached by arguments.

    Args:
        line: the arguments of `munchausen train`.
        mode: `local` or `processes`.
        seconds: time over which to count steps, after a warm-up; 0 counts none.

    Raises:
        BenchFailed: the run ended, or had no learner step in four minutes.
    """
    with _running(line, mode) as (run, runs):
        return _watch(run, runs, mode, seconds)


class InTurns:
    """A local run that is paused except during `go`, so that others can be measured.

    Run and other operations alternate, so that a machine that slows down slows all of
    them and hardly changes their ratios.
    """

    def __init__(self, run: subprocess.Popen, rows: "_Rows"):
        """Pauses the run."""
        self._run, self._rows = run, rows
        run.send_signal(signal.SIGSTOP)

    def go(self, seconds: float) -> float:
        """Continues the run for at least `seconds` and until it has logged three rows.

        Returns:
            Its actor steps per second.

        Raises:
            BenchFailed: the run ended.
        """
        self._rows.read()
        times: dict[int, float] = {}
        end = time.monotonic() + seconds
        self._run.send_signal(signal.SIGCONT)
        while time.monotonic() < end or len(times) < 3:
            _check(self._run, "while it was measured")
            time.sleep(min(seconds, 0.05))
            times |= {row["actor_steps"]: row["wall_time"] for row in self._rows.read()}
        self._run.send_signal(signal.SIGSTOP)
        return rate(times)


def rate(times: dict[int, float]) -> float:
    """Steps per second from the second count on: the run may pause before it."""
    _, (first, began), *_, (last, ended) = times.items()
    return (last - first) / (ended - began)


@contextlib.contextmanager
def in_turns(line: Sequence[str]) -> Iterator[InTurns]:
    """Context with a local run that is paused after its warm-up, and ended at the end.

    Args:
        line: the arguments of `munchausen train`.

    Raises:
        BenchFailed: the run ended, or had no learner step in four minutes.
    """
    with _running(line, "local") as (run, runs):
        rows = _Rows(runs)
        _first(run, rows)
        _after(run, rows, rows.newest["wall_time"] + _WARM_UP_SECONDS)
        yield InTurns(run, rows)


@contextlib.contextmanager
def _running(line: Sequence[str], mode: str) -> Iterator[tuple[subprocess.Popen, Path]]:
    """Starts a run in a temporary directory; ends it and removes the directory."""
    runs = Path(tempfile.mkdtemp(prefix="munchausen-bench-"))
    try:
        with _started([*line, *_NO_REST, "--launch", mode, "--runs", str(runs)]) as run:
            yield run, runs
    finally:
        shutil.rmtree(runs, ignore_errors=True)


@contextlib.contextmanager
def _started(line: Sequence[str]) -> Iterator[subprocess.Popen]:
    with tempfile.TemporaryFile() as output:
        run = subprocess.Popen(
            munchausen.command("experiments.cli", "train", *line),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl+C reaches the run through this process
        )
        try:
            yield run
        except BenchFailed as error:
            output.seek(0)
            said = output.read().decode(errors="replace").strip().splitlines()[-12:]
            raise BenchFailed("\n".join([str(error), *said])) from None
        finally:
            _end(run)


def _end(run: subprocess.Popen) -> None:
    """Ends a run with SIGTERM, or kills it after 60 s; its processes end with it."""
    run.send_signal(signal.SIGTERM)
    run.send_signal(signal.SIGCONT)  # a paused run receives SIGTERM only now
    try:
        run.wait(timeout=60)
    except subprocess.TimeoutExpired:
        run.kill()
        run.wait()


def _watch(run: subprocess.Popen, runs: Path, mode: str, seconds: float) -> Watched:
    rows = _Rows(runs)
    first = _first(run, rows)
    if not seconds:
        return Watched(first, 0.0, 0.0, ())
    start = _after(run, rows, rows.newest["wall_time"] + _WARM_UP_SECONDS)
    end = _after(run, rows, start["wall_time"] + seconds)
    spent = end["wall_time"] - start["wall_time"]
    actor_steps, learner_steps = (
        (end[name] - start[name]) / spent for name in ("actor_steps", "learner_steps")
    )
    main = "local" if mode == "local" else "launcher"
    return Watched(first, actor_steps, learner_steps, _processes(run.pid, main))


def _first(run: subprocess.Popen, rows: "_Rows") -> float:
    """Waits for the first learner step; returns the seconds that passed."""
    began = time.monotonic()
    while not rows.newest.get("learner_steps"):
        _check(run, "before its first learner step")
        if time.monotonic() - began > _PATIENCE_SECONDS:
            raise BenchFailed(f"no learner step in {_PATIENCE_SECONDS:g} seconds")
        rows.read()
        time.sleep(0.05)
    return time.monotonic() - began


def _after(run: subprocess.Popen, rows: "_Rows", wall_time: float) -> dict[str, Any]:
    """Waits for a row of metrics from `wall_time` or later, and returns it."""
    while rows.newest["wall_time"] < wall_time:
        _check(run, "while it was measured")
        rows.read()
        time.sleep(0.05)
    return rows.newest


def _check(run: subprocess.Popen, when: str) -> None:
    if run.poll() is not None:
        raise BenchFailed(f"the run ended {when}, with exit code {run.returncode}")


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
