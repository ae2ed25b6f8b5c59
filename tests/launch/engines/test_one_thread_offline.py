"""Local runs that learn from a dataset: stages, evaluation, checkpoints."""

import jax
import numpy as np
import pytest

from launch.policies import saved_policy
from launch.policies.evaluate import evaluate_run
from launch.runs import checkpoint, logs, run_directory
from tests.launch.local_runs import parameters, run_local, run_new
from tests.launch.small_experiments import OFFLINE, STAGED, pendulum
from tests.marks import quick


@pytest.mark.parametrize("name", quick(["td3", "ploff"], ["td3", *OFFLINE]))
def test_a_run_learns_evaluates_and_saves_a_policy(name, dataset, tmp_path):
    directory = run_new(tmp_path, pendulum(name, dataset))
    rows = logs.read_evaluations(directory)
    assert [row.grid for row in rows] == [30, 60, 90]
    assert [row.counts for row in rows] == [
        logs.Counts(0, 0, n, 0) for n in (30, 60, 90)
    ]
    saved = checkpoint.newest(directory)
    assert saved.counts == logs.Counts(learner_steps=90)
    action = saved_policy.load_policy(directory)(np.zeros((2, 4), np.float32))
    assert action.shape == (2, 1) and np.all(np.abs(action) <= 1)
    assert len(evaluate_run(directory, episodes=2, seed=1).returns) == 2
    has_stage = name in STAGED
    assert (directory / "pretraining" / "metrics.csv").exists() == has_stage


@pytest.mark.parametrize("name", quick(["ploff"], ["td3", "ploff"]))
def test_a_resumed_run_ends_as_an_uninterrupted_one(name, dataset, tmp_path):
    whole = run_new(tmp_path / "whole", pendulum(name, dataset))
    part = run_new(tmp_path / "part", pendulum(name, dataset, steps=45))
    wanted = pendulum(name, dataset)
    run_directory.record_resume(part, wanted)
    run_local(wanted, part, resume=checkpoint.newest(part))
    jax.tree.map(np.testing.assert_array_equal, parameters(whole), parameters(part))
    first, second = (
        [(row.grid, row.returns) for row in logs.read_evaluations(each)]
        for each in (whole, part)
    )
    assert first[-1] == second[-1]


def test_the_policy_is_saved_with_the_statistics_of_the_dataset(dataset, tmp_path):
    saved = parameters(run_new(tmp_path, pendulum("td3", dataset)))["normalizer"]
    assert np.abs(saved["mean"]).max() > 0
    assert np.all(saved["deviation"] != 1)
