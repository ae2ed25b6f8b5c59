"""Figures of whole runs, started by the command line and watched from outside."""

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

from experiments import bench_parts
from experiments.catalogue import EXPERIMENTS
from experiments.measure import BenchFailed, Measurement, cost, share

PONG = (
    *("dqn/pong", "--environments", "8", "--agent.storage.min_size", "1000"),
    *("--agent.storage.capacity", "50000", "--log_period", "40"),
)
CARTPOLE = ("dqn/cartpole", "--steps", "10_000_000", "--log_period", "20")
_NO_REST = (
    *("--checkpoint.replay", "false", "--evaluation.episodes", "1"),
    *("--evaluation.period", "1_000_000_000", "--checkpoint.period", "1_000_000_000"),
)
_WARM_UP_SECONDS = 4.0
_PATIENCE_SECONDS = 240.0
_STEPS_PER_UPDATE = 4  # of the agent of `PONG`: batch 32, 8 samples per insert
_LIBRARIES = {
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
    runs = Path(tempfile.mkdtemp(prefix="munchausen-bench-"))
    try:
        with _started([*line, *_NO_REST, "--launch", mode, "--runs", str(runs)]) as run:
            return _watch(run, runs, mode, seconds)
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
    try:
        run.wait(timeout=60)
    except subprocess.TimeoutExpired:
        run.kill()
        run.wait()


def _watch(run: subprocess.Popen, runs: Path, mode: str, seconds: float) -> Watched:
    began = time.monotonic()
    rows = _Rows(runs)
    while not rows.newest.get("learner_steps"):
        _check(run, "before its first learner step")
        if time.monotonic() - began > _PATIENCE_SECONDS:
            raise BenchFailed(f"no learner step in {_PATIENCE_SECONDS:g} seconds")
        rows.read()
        time.sleep(0.05)
    first = time.monotonic() - began
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

    def read(self) -> None:
        """Reads what is new."""
        for path in self._runs.glob("*/*/*/metrics.jsonl"):
            with path.open("rb") as file:
                file.seek(self._offset)
                new = file.read()
            complete = new[: new.rfind(b"\n") + 1]
            self._offset += len(complete)
            if complete:
                self.newest = json.loads(complete.splitlines()[-1])


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
    loaded = (name for name, part in _LIBRARIES.items() if part in maps)
    return Process(role, int(peak) * 1024, tuple(loaded))


def runs(seconds: float, line: tuple[str, ...] = PONG) -> list[Measurement]:
    """Actor steps of whole runs, beside what the update alone would allow for.

    Args:
        seconds: for each figure.
        line: what follows `munchausen train`.
    """
    experiment = EXPERIMENTS[line[0]]
    measured = []
    for mode, least in (("local", 0.85), ("processes", 0.75)):
        before = bench_parts.bare_updates(experiment, seconds / 2)
        seen = watch(line, mode, seconds)
        after = bench_parts.bare_updates(experiment, seconds / 2)
        ideal = _STEPS_PER_UPDATE * (before + after) / 2
        name = f"whole run, {mode}"
        measured.append(share(name, seen.actor_steps, ideal, "actor steps/s", least))
    return measured


def start(line: tuple[str, ...] = CARTPOLE) -> list[Measurement]:
    """Seconds from the command to the first learner step."""
    return [
        cost(f"first learner step, {mode}", watch(line, mode, 0.0).first, most, "s")
        for mode, most in (("local", 8.0), ("processes", 30.0))
    ]


def footprint(seconds: float, line: tuple[str, ...] = PONG) -> list[Measurement]:
    """Peak memory of every process of a run, and what it has loaded."""
    total = psutil.virtual_memory().total / 2**20
    measured = []
    for mode in ("local", "processes"):
        for process in watch(line, mode, seconds).processes:
            name = f"peak memory, {process.role} ({' '.join(process.libraries)})"
            measured.append(share(name, process.peak / 2**20, total, "MiB"))
    return measured


def imports() -> list[Measurement]:
    """Modules that commands have imported at their end, and which of the stack."""
    train = ["dqn/catch", "--steps", "200", "--evaluation.episodes", "1"]
    commands = {
        "munchausen --help": ["--help"],
        "munchausen list": ["list"],
        "a local run": ["train", *train],
    }
    measured, counts = [], {}
    for name, command in commands.items():
        counts[name], loaded = _imported(command)
        shown = " ".join(loaded) or "none of the stack"
        whole = max(counts.values())
        measured.append(share(f"modules, {name} ({shown})", counts[name], whole, ""))
    return measured


def _imported(command: Sequence[str]) -> tuple[int, tuple[str, ...]]:
    code = (
        "import sys; from experiments import cli; code = cli.main(sys.argv[1:]);"
        f"print(code, len(sys.modules), *[m for m in {tuple(_LIBRARIES)!r}"
        " if m in sys.modules])"
    )
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", code, *command],
            cwd=folder,
            capture_output=True,
            text=True,
        )
    words = done.stdout.splitlines()[-1:] or [f"{done.returncode}"]
    code_word, *rest = words[0].split()
    if code_word != "0" or not rest:
        raise BenchFailed(f"munchausen {' '.join(command)} failed:\n{done.stderr}")
    return int(rest[0]), tuple(rest[1:])
