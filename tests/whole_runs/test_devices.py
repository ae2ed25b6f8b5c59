"""Several local devices share batches; uneven batches are refused at once."""

import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from launch.policies import saved_policy
from launch.runs import lock, run_directory
from tests.launch import pendulum_dataset
from tests.launch.local_runs import run_local
from tests.launch.small_experiments import pendulum

EIGHT = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8"}
PENDULUM = "--dataset pendulum.hdf5 --environment.name InvertedPendulum-v5"


def run(directory, *words):
    """Exit code and standard error of a program on eight devices."""
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=directory,
        env={**os.environ, **EIGHT, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    "line, flag",
    [
        # The first stage's batch is 100, the agent's 256.
        (f"anti_exploration/hopper {PENDULUM}", "--agent.autoencoder.batch_size"),
        (f"bc/hopper {PENDULUM} --agent.batch_size 9", "--agent.batch_size"),
        ("mdqn/catch --agent.storage.batch_size 9", "--agent.storage.batch_size"),
        (
            "mdqn/catch --launch threads --agent.storage.batch_size 9",
            "--agent.storage.batch_size",
        ),
    ],
)
def test_an_uneven_batch_is_refused_before_there_is_a_directory(line, flag, tmp_path):
    pendulum_dataset.write(tmp_path / "pendulum.hdf5", 40)
    code, error = run(tmp_path, "experiments.cli", "train", *line.split())
    assert code == 2 and error.count("\n") == 1
    said = f"munchausen: {flag} must be a multiple of the 8 devices that share a batch"
    assert error.startswith(said)
    assert [path.name for path in tmp_path.iterdir()] == ["pendulum.hdf5"]


@pytest.mark.slow
@pytest.mark.launchpad
def test_the_learner_of_a_program_refuses_without_a_trace(tmp_path):
    """The launcher must not claim the devices: only the learner knows them."""
    line = "mdqn/catch --agent.storage.batch_size 9 --launch processes"
    code, error = run(tmp_path, "experiments.cli", "train", *line.split())
    assert code == 1 and "learner/0 died" in error
    assert "  the batch size must be a multiple of the 8 devices that" in error
    assert 'File "' not in error


def test_a_run_side_by_side_is_refused_in_one_line_before_it_saves(tmp_path):
    """The launcher of several runs must not claim the devices, so each run checks."""
    dataset = str(pendulum_dataset.write(tmp_path / "pendulum.hdf5", 40))
    directory = run_directory.create(
        tmp_path, pendulum("td3_bc", dataset)
    )  # batches of 7
    code, error = run(tmp_path, "launch.run", str(directory))
    assert code == 2 and error.count("\n") == 1
    assert "--agent.batch_size must be a multiple of the 8 devices" in error
    assert error.endswith(", got 7\n")
    left = {path.name for path in directory.iterdir()} - {lock.FILE}
    assert left == {run_directory.CONFIG}


@pytest.mark.parametrize("mode", ["local", "threads"])
def test_a_run_that_moved_to_more_devices_is_refused_and_unchanged(mode, tmp_path):
    dataset = str(pendulum_dataset.write(tmp_path / "pendulum.hdf5", 40))
    directory = run_directory.create(
        tmp_path, pendulum("td3_bc", dataset, steps=4)
    )  # batches of 7
    run_local(run_directory.read_experiment(directory), directory)
    config = (directory / run_directory.CONFIG).read_text()
    line = f"train --resume {directory} --steps 8 --launch {mode}"
    code, error = run(tmp_path, "experiments.cli", *line.split())
    assert code == 2 and error.count("\n") == 1
    assert "--agent.batch_size must be a multiple of the 8 devices" in error
    assert error.endswith(", got 7\n")
    assert (directory / run_directory.CONFIG).read_text() == config


@pytest.mark.slow
def test_eight_devices_learn_the_same_from_a_dataset_as_one(tmp_path):
    dataset = str(pendulum_dataset.write(tmp_path / "pendulum.hdf5", 90))
    changes = {"agent.batch_size": 16, "agent.pretraining_steps": 3}
    wanted = pendulum("ploff", dataset, steps=4, **changes)
    eight, one = (run_directory.create(tmp_path, wanted) for _ in range(2))
    code, error = run(tmp_path, "launch.run", str(eight))
    assert code == 0, error
    run_local(wanted, one)
    learned = [saved_policy.load(directory)[2] for directory in (eight, one)]
    # The metric's last bias has a gradient of rounding errors only, which Adam scales.
    for name in ("policy", "critic"):
        jax.tree.map(
            lambda left, right: np.testing.assert_allclose(left, right, atol=1e-5),
            *(params[name] for params in learned),
        )
