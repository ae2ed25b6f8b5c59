"""Small experiments, a scripted environment, and the processes that a test started."""

import csv
import json

import dm_env
import numpy as np
import pytest

from environments.vector import discount_spec, reward_spec
from launch.runs import logs, run_directory
from tests.commands import Command
from tests.launch import pendulum_dataset, small_experiments
from tests.launch.local_runs import run_local

FIRST, MID, LAST = dm_env.StepType


@pytest.fixture(scope="session")
def catch():
    """Makes Catch experiments of 300 steps; takes settings by their paths."""
    return small_experiments.small_catch


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


@pytest.fixture(scope="session")
def dataset(tmp_path_factory):
    """A file of 150 steps of an inverted pendulum."""
    path = tmp_path_factory.mktemp("data") / "pendulum.hdf5"
    return str(pendulum_dataset.write(path, 150))


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
