"""Whole runs, started by the command line and watched from outside."""

import contextlib
import functools
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from experiments.benchmarks.measure import BenchFailed

_NO_REST = (
    *("--checkpoint.replay", "false", "--evaluation.episodes", "1"),
    *("--evaluation.period", "1_000_000_000", "--checkpoint.period", "1_000_000_000"),
)
_WARM_UP_SECONDS = 4.0
_PATIENCE_SECONDS = 240.0
LIBRARIES = {
    "jax": "/jaxlib/",
    "tensorflow": "/tensorflow/",
    "reverb": "/reverb/",
    "launchpad": "/courier/",
}


class Process(NamedTuple):
    """A process of a run.

    Attributes:
        role: such as `actor/0`; `launcher` or `local` for the one that was started.
        peak: bytes of memory that it had at most.
        libraries: those of the stack that are loaded in it.
    """

    role: str
    peak: int
    libraries: tuple[str, ...]


class Watched(NamedTuple):
    """What was seen of a run.

    Attributes:
        first: seconds from the command to the first learner step.
        actor_steps: a second, after warming up; 0 if that was not asked for.
        learner_steps: a second, as well.
        processes: of the run.
    """

    first: float
    actor_steps: float
    learner_steps: float
    processes: tuple[Process, ...]


@functools.cache
def watch(line: tuple[str, ...], mode: str, seconds: float) -> Watched:
    """Starts a run, watches it and ends it; equal questions are answered once.

    Args:
        line: what follows `munchausen train`.
        mode: `local` or `processes`.
        seconds: over which to count steps, after a warm-up; 0 counts none.

    Raises:
        BenchFailed: it ended, or had no learner step in four minutes.
    """
    with _running(line, mode) as (run, runs):
        return _watch(run, runs, mode, seconds)


class InTurns:
    """A local run that stands still except in its turns; others can have theirs.

    A machine that slows down slows all of them down, and leaves their ratios alone.
    """

    def __init__(self, run: subprocess.Popen, rows: "_Rows"):
        """Has it stand still."""
        self._run, self._rows = run, rows
        run.send_signal(signal.SIGSTOP)

    def go(self, seconds: float) -> float:
        """Lets it go for so long, or until it can be timed; its actor steps a second.

        Raises:
            BenchFailed: it ended.
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
    """Steps a second; between the first two counts it may have stood still."""
    _, (first, began), *_, (last, ended) = times.items()
    return (last - first) / (ended - began)


@contextlib.contextmanager
def in_turns(line: Sequence[str]) -> Iterator[InTurns]:
    """Starts a local run and has it stand still once it is warm; ends it.

    Args:
        line: what follows `munchausen train`.

    Raises:
        BenchFailed: it ended, or had no learner step in four minutes.
    """
    with _running(line, "local") as (run, runs):
        rows = _Rows(runs)
        _first(run, rows)
        _after(run, rows, rows.newest["wall_time"] + _WARM_UP_SECONDS)
        yield InTurns(run, rows)


@contextlib.contextmanager
def _running(line: Sequence[str], mode: str) -> Iterator[tuple[subprocess.Popen, Path]]:
    """Starts a run in a directory of its own; both go in the end."""
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
            [sys.executable, "-m", "experiments.cli", "train", *line],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl+C reaches it through us
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
    """Ends a run in order if it can be; its processes follow it in any case."""
    run.send_signal(signal.SIGTERM)
    run.send_signal(signal.SIGCONT)  # should it stand still, it hears of it only now
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
    """Seconds until the first learner step is seen."""
    began = time.monotonic()
    while not rows.newest.get("learner_steps"):
        _check(run, "before its first learner step")
        if time.monotonic() - began > _PATIENCE_SECONDS:
            raise BenchFailed(f"no learner step in {_PATIENCE_SECONDS:g} seconds")
        rows.read()
        time.sleep(0.05)
    return time.monotonic() - began


def _after(run: subprocess.Popen, rows: "_Rows", wall_time: float) -> dict[str, Any]:
    """The first row that is seen from then on."""
    while rows.newest["wall_time"] < wall_time:
        _check(run, "while it was measured")
        rows.read()
        time.sleep(0.05)
    return rows.newest


def _check(run: subprocess.Popen, when: str) -> None:
    if run.poll() is not None:
        raise BenchFailed(f"the run ended {when}, with exit code {run.returncode}")


class _Rows:
    """The newest row of the metrics of the only run below a directory."""

    def __init__(self, runs: Path):
        self._runs = runs
        self._offset = 0
        self.newest: dict[str, Any] = {}

    def read(self) -> list[dict[str, Any]]:
        """Reads what is new, and returns it."""
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
    """The process that was started, and the roles that it started."""
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
