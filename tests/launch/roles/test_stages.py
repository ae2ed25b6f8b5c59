"""Stages before the agent that acts: they learn, log and save on their own."""

import shutil

from launch import build
from launch.datasets import load
from launch.roles import stages
from launch.runs import checkpoint
from tests.launch.interrupted_runs import metrics
from tests.launch.small_experiments import pendulum


def test_a_first_stage_without_checkpoints_restarts_its_logs(dataset, tmp_path):
    """As if the run had been killed before the stage's first checkpoint."""
    wanted = pendulum("anti_exploration", dataset)
    callbacks = stages.StageCallbacks(tick=int, stopped=bool)
    spec = build.spec_of(wanted)
    learned = build.make_stages(wanted, spec)
    prepared = load.load_prepared(wanted, spec)
    own, logged_at = tmp_path / "pretraining", []
    for _ in range(2):
        stages.learn_earlier(wanted, tmp_path, learned, prepared, callbacks)
        logged_at.append([row["learner_steps"] for row in metrics(own)])
        shutil.rmtree(own / checkpoint.DIRECTORY)
    assert logged_at[0] == logged_at[1] and logged_at[0][:2] == [15, 30]
