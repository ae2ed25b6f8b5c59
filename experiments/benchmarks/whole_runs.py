"""Benchmarks of whole runs, observed from outside: speed, start, memory, imports."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence

import psutil

from experiments.benchmarks import parts
from experiments.benchmarks.measure import (
    BenchFailed,
    Measurement,
    Rates,
    compared,
    cost,
    one_by_one,
    rates,
    share,
    take_turns,
)
from experiments.benchmarks.observe_process import LIBRARIES, in_turns, watch
from experiments.catalogue.experiments import EXPERIMENTS

PONG = (
    *("dqn/pong", "--environments", "8", "--agent.storage.min_size", "1000"),
    *("--agent.storage.capacity", "50000", "--log_period", "40"),
)
CARTPOLE = ("dqn/cartpole", "--steps", "10_000_000", "--log_period", "20")
_STEPS_PER_UPDATE = 4  # in `PONG`: batch size 32, 8 samples per insert
_TURN_SECONDS = 3.0  # of a program, whose roles wait for each other after a pause


def runs(seconds: float, line: tuple[str, ...] = PONG) -> list[Measurement]:
    """Measures actor steps of whole runs; the limit is the rate of updates alone.

    Args:
        seconds: time to measure each figure.
        line: the arguments of `munchausen train`.
    """
    bare = {"bare": parts.bare_update(EXPERIMENTS[line[0]])}
    fed = (*line, "--replay", "learner")
    with (
        in_turns(line, "local") as local,
        in_turns(line, "processes") as program,
        in_turns(fed, "processes") as fed_program,
    ):
        kinds = {
            "local": local.go,
            "processes": program.go,
            "processes, --replay learner": fed_program.go,
        }
        turns = take_turns(
            [lambda turn: rates(bare, turn), one_by_one(kinds)], seconds, _TURN_SECONDS
        )

    def ideal(rate: Rates) -> float:
        return _STEPS_PER_UPDATE * rate["bare"]

    least = {"local": 0.85}
    return [
        compared(
            f"whole run, {kind}",
            turns,
            kind,
            ideal,
            "actor steps/s",
            least.get(kind, 0.75),
        )
        for kind in kinds
    ]


def start(line: tuple[str, ...] = CARTPOLE) -> list[Measurement]:
    """Measures the seconds from the command to the first learner step."""
    measured = []
    for mode, most in (("local", 8.0), ("processes", 30.0)):
        seen = watch(line, mode)
        name = f"first learner step, {mode}"
        measured.append(cost(name, seen.first, most, "s", seen.others))
    return measured


def footprint(line: tuple[str, ...] = PONG) -> list[Measurement]:
    """Measures each process's peak memory in a run, and names its loaded libraries."""
    total = psutil.virtual_memory().total / 2**20
    measured = []
    for mode in ("local", "processes"):
        for process in watch(line, mode).processes:
            name = f"peak memory, {process.role} ({' '.join(process.libraries)})"
            measured.append(share(name, process.peak / 2**20, total, "MiB"))
    return measured


def imports() -> list[Measurement]:
    """Counts the modules that commands import, and names the large libraries."""
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
        "import sys, munchausen; munchausen.take_names();"
        "from experiments import cli; code = cli.main(sys.argv[1:]);"
        f"print(code, len(sys.modules), *[m for m in {tuple(LIBRARIES)!r}"
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
