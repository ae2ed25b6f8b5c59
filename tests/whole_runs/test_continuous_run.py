"""Runs with continuous actions, whole: they act, store, learn, evaluate and record."""

import numpy as np
import pytest

from environments import mujoco_library
from experiments import cli, flags
from experiments.catalogue.experiments import EXPERIMENTS
from launch.policies import saved_policy
from launch.runs import logs, run_directory
from tests.launch.local_runs import run_local
from tests.marks import quick

SMALL = {
    "steps": 90,
    "environments": 3,
    "evaluation.period": 90,
    "evaluation.episodes": 1,
    "log_period": 30,
    "agent.network.hidden": (13,),
    "agent.exploration.start": 30,
    "agent.storage.min_size": 30,
    "agent.storage.batch_size": 7,
    "agent.storage.samples_per_insert": 7.0,
}


@pytest.fixture(params=quick(["td3"], ["iq", "sac", "td3"]))
def run(request, tmp_path):
    experiment = flags.replace(EXPERIMENTS[f"{request.param}/hopper"], SMALL)
    directory = run_directory.create(tmp_path, experiment)
    run_local(experiment, directory)
    return directory


def test_a_run_learns_once_a_step_and_saves_a_policy(run):
    [evaluation] = logs.read_evaluations(run)
    assert evaluation.counts.actor_steps >= 90
    assert 55 <= evaluation.counts.learner_steps <= 63
    assert np.isfinite(evaluation.mean_return)
    action = saved_policy.load_policy(run)(np.zeros((2, 11), np.float32))
    assert action.shape == (2, 3) and np.all(np.abs(action) <= 1)


@pytest.mark.parametrize("run", ["iq"], indirect=True)
def test_a_missing_renderer_is_reported_in_one_line(run, capsys, monkeypatch):
    monkeypatch.setattr(mujoco_library, "find_library", lambda name: None)
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    assert cli.main(["record", str(run)]) == 2
    error = capsys.readouterr().err
    assert "libegl1" in error and error.count("\n") == 1
    assert not (run / "policy.mp4").exists()
