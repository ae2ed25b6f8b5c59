"""A local run that was cut short and resumed equals one that was not."""

import dataclasses

import jax
import numpy as np
import pytest

from launch.errors import RunDirectoryError
from launch.experiment import Evaluation
from launch.policies import saved_policy
from launch.runs import checkpoint, run_directory
from tests.launch.interrupted_runs import catch, metrics, rows, run_until
from tests.launch.local_runs import run_local, run_new


@pytest.mark.parametrize(
    ("environments", "lockstep"),
    [
        (1, False),
        (3, True),
        pytest.param(1, True, marks=pytest.mark.slow),
        pytest.param(3, False, marks=pytest.mark.slow),
    ],
)
def test_resumed_local_run_equals_the_uninterrupted_one(
    environments, lockstep, tmp_path, monkeypatch
):
    evaluation = Evaluation(period=150, episodes=3, lockstep=lockstep)
    experiment = catch(500, environments=environments, evaluation=evaluation)
    whole = run_directory.create(tmp_path / "whole", experiment)
    run_local(experiment, whole)
    cut = run_directory.create(tmp_path / "cut", experiment)
    run_until(experiment, cut, 330, monkeypatch)
    assert int(rows(cut, "metrics.csv")[-1]["actor_steps"]) >= 250  # rows to take back
    saved = checkpoint.newest(cut)
    assert 200 <= saved.counts.actor_steps < 203
    run_local(experiment, cut, resume=saved)
    assert metrics(cut) == metrics(whole)
    for name in ("evaluations.csv", "metrics.csv"):
        assert rows(cut, name) == rows(whole, name)
    ends = [saved_policy.load(directory)[2] for directory in (whole, cut)]
    for left, right in zip(*map(jax.tree.leaves, ends), strict=True):
        np.testing.assert_array_equal(left, right)


def test_other_capacity_is_refused_by_the_store(tmp_path):
    whole = run_new(tmp_path, catch(500))
    saved = checkpoint.newest(whole)
    smaller = dataclasses.replace(catch(500).agent.storage, capacity=777)
    agent = dataclasses.replace(catch(500).agent, storage=smaller)
    with pytest.raises(RunDirectoryError, match="1 x 777"):
        run_local(catch(600, agent=agent), whole, resume=saved)
