"""Ends at awkward moments: in an evaluation, between updates, after a divergence."""

import dataclasses
import os
import signal

import numpy as np
import pytest

from launch import errors
from launch.roles.evaluator import Evaluator
from launch.roles.learner import Learner
from launch.runs import checkpoint, logs, run_directory
from tests.launch.interrupted_runs import catch, metrics, rows, run_until
from tests.launch.local_runs import run_local


def test_a_resumed_run_repeats_an_evaluation_that_a_signal_cut_short(
    tmp_path, monkeypatch
):
    """The signal is handled at once, not after all episodes have been played."""
    directory = run_directory.create(tmp_path, catch(500, period=100))
    play = Evaluator._play

    def interrupted(self, loop, tick):
        if checkpoint.reached(directory) == 200:  # at the point 300, before it is saved
            os.kill(os.getpid(), signal.SIGTERM)
        return play(self, loop, tick)

    with monkeypatch.context() as patched, pytest.raises(errors.Interrupted):
        patched.setattr(Evaluator, "_play", interrupted)
        run_local(catch(500, period=100), directory)
    assert checkpoint.newest(directory).counts.actor_steps == 300
    assert [row.grid for row in logs.read_evaluations(directory)] == [150]
    saved = checkpoint.newest(directory)
    run_local(catch(500, period=100), directory, resume=saved)
    whole = run_directory.create(tmp_path / "whole", catch(500, period=100))
    run_local(catch(500, period=100), whole)
    assert rows(directory, "evaluations.csv") == rows(whole, "evaluations.csv")


def test_a_resumed_run_has_equal_rows_before_its_first_update(tmp_path, monkeypatch):
    """A checkpoint between two updates: the resumed run has no metrics of the first."""
    agent = catch(230).agent
    batch = agent.storage.batch_size  # sampled every fourth step
    storage = dataclasses.replace(agent.storage, samples_per_insert=batch / 4)
    agent = dataclasses.replace(agent, storage=storage)
    experiment = catch(230, period=201, log_period=1, agent=agent)
    whole = run_directory.create(tmp_path / "whole", experiment)
    run_local(experiment, whole)
    cut = run_directory.create(tmp_path / "cut", experiment)
    run_until(experiment, cut, 220, monkeypatch)
    saved = checkpoint.newest(cut)
    run_local(experiment, cut, resume=saved)
    assert saved.counts.actor_steps == 201
    assert metrics(cut) == metrics(whole)


def test_a_run_that_diverges_keeps_its_earlier_checkpoints(tmp_path, monkeypatch):
    """Also if no row of the log is due between the divergence and a checkpoint."""
    compute = Learner._compute

    def diverging(self, batches):
        compute(self, batches)
        if self.learner_steps > 40:
            self.metrics = {"q_loss": np.float32("nan")}

    monkeypatch.setattr(Learner, "_compute", diverging)
    experiment = catch(500, period=10, log_period=400)
    directory = run_directory.create(tmp_path, experiment)
    with pytest.raises(errors.NotFinite, match="loss of network q is nan"):
        run_local(experiment, directory)
    assert checkpoint.newest(directory).counts.learner_steps <= 40
