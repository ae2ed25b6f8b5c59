"""Small experiments, a scripted environment, and the processes that a test started."""

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dm_env
import numpy as np
import psutil
import pytest

from environments.vector import discount_spec, reward_spec
from experiments import flags
from experiments.catalogue.experiments import EXPERIMENTS
from launch.runs import logs, run_directory
from tests.launch.local_runs import run_local

FIRST, MID, LAST = dm_env.StepType


@pytest.fixture(scope="session")
def catch():
    """Makes Catch experiments of 300 steps; takes settings by their paths."""
    small = {
        "steps": 300,
        "log_period": 100,
        "evaluation.period": 100,
        "evaluation.episodes": 20,
        "agent.network.hidden": (16,),
    }

    def make(settings=None, name="mdqn/catch"):
        return flags.replace(EXPERIMENTS[name], small | (settings or {}), "--")

    return make


# Batches of 32 fall due at odd steps, none before the first point of the grid.
UNEVEN = {"agent.storage.samples_per_insert": 3.5, "agent.storage.min_size": 120}


@pytest.fixture(scope="session")
def finished(catch, tmp_path_factory):
    """Three finished local runs: two with seed 0, one with seed 1."""
    root = tmp_path_factory.mktemp("runs")
    directories = []
    for seed in (0, 0, 1):
        settings = UNEVEN | {"seed": seed, "environments": 3, "checkpoint.period": 150}
        experiment = catch(settings)
        directory = run_directory.create(root, experiment)
        run_local(experiment, directory)
        directories.append(directory)
    return directories


class Scripted:
    """N lanes that play the same episodes again and again, whatever the actions.

    Args:
        episodes: rewards of each episode of each lane; the last one is repeated.
        tape: where calls are noted.

    Lane i shows `100 * i + 10 * episodes ended + decisions in this episode`.
    """

    action_repeat = 4
    frame_stack = 1
    reward_clip: float | None = 1.0

    def __init__(self, episodes, tape=None):
        self.num_environments = len(episodes)
        self._episodes = episodes
        self.tape = [] if tape is None else tape

    def reset(self):
        self.tape.append(("reset",))
        self._ended = [0] * self.num_environments
        self._steps = [-1] * self.num_environments
        return self._timestep()

    def step(self, actions):
        self.tape.append(("step", actions.tolist()))
        return self._timestep()

    def _timestep(self):
        lanes = [self._next(lane) for lane in range(self.num_environments)]
        step_type, reward, observation = zip(*lanes, strict=True)
        return dm_env.TimeStep(
            np.array(step_type, np.int32),
            np.array(reward, np.float32),
            np.ones(self.num_environments, np.float32),
            np.array(observation, np.int32),
        )

    def _next(self, lane):
        script = self._episodes[lane]
        rewards = script[min(self._ended[lane], len(script) - 1)]
        self._steps[lane] += 1
        steps = self._steps[lane]
        observation = 100 * lane + 10 * self._ended[lane] + steps
        if steps == 0:
            return FIRST, 0.0, observation
        if steps < len(rewards):
            return MID, rewards[steps - 1], observation
        self._ended[lane] += 1
        self._steps[lane] = -1
        return LAST, rewards[-1], observation

    def observation_spec(self):
        return dm_env.specs.Array((), np.int32)

    def action_spec(self):
        return dm_env.specs.DiscreteArray(3)

    def reward_spec(self):
        return reward_spec()

    def discount_spec(self):
        return discount_spec()

    def close(self):
        self.tape.append(("close",))


@pytest.fixture
def scripted():
    """The class of scripted environments."""
    return Scripted


class Command:
    """A command that runs in a directory of its own, and every process it starts.

    Processes are known by their working directory: it survives the death of their
    parents and no other test has the same.
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

    def munchausen(self, line):
        return self.start("-m", "experiments.cli", *line.split())

    def wait(self, seconds=100):
        """Exit code and both outputs."""
        out, err = self.process.communicate(timeout=seconds)
        return self.process.returncode, out, err

    def alive(self):
        """Titles of all processes, by id, but not of the command itself."""
        return {
            process.pid: title
            for process in psutil.process_iter()
            if process.pid != self.process.pid
            and (title := self._title(process)) is not None
        }

    def await_role(self, title, seconds=60):
        """The process id of the role with this title."""
        for _ in self.patiently(seconds, title):
            for pid, found in self.alive().items():
                if title in found:
                    return pid

    def await_all_gone(self, seconds):
        for _ in self.patiently(seconds, "the end of all"):
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


@pytest.fixture
def command(tmp_path):
    """A command in the test's directory; whatever is left of it is killed."""
    command = Command(tmp_path.resolve())
    yield command
    command.clean_up()


@pytest.fixture(scope="session")
def untimed():
    """Reads all logs of a run, without the fields that measure wall time."""

    def strip(row):
        return {k: v for k, v in row.items() if not logs.is_wall_time(k)}

    def read(directory):
        rows = {}
        for name in ("evaluations.csv", "metrics.csv"):
            with (directory / name).open(newline="") as file:
                rows[name] = [strip(row) for row in csv.DictReader(file)]
        lines = (directory / "metrics.jsonl").read_text().splitlines()
        rows["metrics.jsonl"] = [strip(json.loads(line)) for line in lines]
        return rows

    return read
