"""Runs of Catch through the command line: how to start them, what they leave behind."""

import csv
import json
import os
import signal
from pathlib import Path

from launch.runs import checkpoint, checkpoint_files
from launch.runs.logs import read_evaluations

ROLES = ("replay", "coordinator", "learner", "actor/0", "actor/1", "evaluator")
LINE = (
    "train mdqn/catch --actors 2 --environments 2 --log_period 200 "
    "--evaluation.period 500 --evaluation.episodes 20 --agent.network.hidden 16"
)


def line(mode, *settings):
    """A command line that trains for a long time."""
    words = LINE.replace("--actors 2", "") if mode == "local" else LINE
    return " ".join([words, "--steps 1000000 --launch", mode, *settings])


def run_directories(command, out):
    """The run directories that a command printed."""
    names = [line for line in out.splitlines() if line.startswith("runs/")]
    return [command.directory / name for name in names]


def await_run(command, ready, what, seconds=100):
    """The run directory as soon as `ready(directory)`; the command must still run."""
    for _ in command.patiently(seconds, what):
        assert command.process.poll() is None, command.process.communicate()
        found = list(Path(command.directory).glob("runs/*/*/seed*/"))
        if found and ready(found[0]):
            return found[0]


def await_past_a_checkpoint(command):
    """The run directory as soon as it has rows newer than its last checkpoint."""

    def is_past_a_checkpoint(directory):
        saved, rows = saved_steps(directory), metrics(directory)
        return saved and rows and rows[-1]["actor_steps"] > saved[-1]

    return await_run(command, is_past_a_checkpoint, "rows", 200)


def kill_role(command, role, seconds=60):
    """Kills a role without which the run ends, and checks that it ends in order."""
    os.kill(command.await_role(f"munchausen {role} "), signal.SIGKILL)
    code, _, err = command.wait(seconds)
    assert code == 1
    assert f"{role}/0 died (signal 9); its last lines, from " in err, err
    assert "Traceback" not in err
    assert not command.alive()


def is_evaluated(directory):
    """Whether a run has an evaluation."""
    return bool(read_evaluations(directory))


def saved_steps(directory):
    """Actor steps of the checkpoints that a run keeps, in order."""
    root = directory / checkpoint.DIRECTORY
    names = [path.parent.name for path in root.glob(f"*/{checkpoint_files.MANIFEST}")]
    return sorted(int(name) for name in names if name.isdigit())


def metrics(directory):
    """Rows of `metrics.jsonl`; as in every log, the last one may be half written."""
    path = directory / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def metrics_csv(directory):
    """Rows of `metrics.csv`, as text."""
    with (directory / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))
