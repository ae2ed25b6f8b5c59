"""A local run after a scheduler's notice: the state first, then the replay."""

import os
import signal

import pytest

from launch import errors
from launch.engines import one_thread
from launch.replay.in_process import InProcess
from launch.runs import checkpoint, generation, run_directory
from tests.launch.interrupted_runs import catch, metrics
from tests.launch.local_runs import ready_run


def play(run, environment):
    one_thread.run(run, environment, progress=False)


def preempted(run, environment, steps, monkeypatch):
    """Runs until `steps`, at which a notice comes."""
    act = one_thread.Local.act

    def notified(self):
        act(self)
        if self.done() == steps:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patched, pytest.raises(errors.Interrupted) as caught:
        patched.setattr(one_thread.Local, "act", notified)
        play(run, environment)
    assert errors.exit_code(caught.value.signal) == errors.START_AGAIN


def test_a_run_goes_on_with_the_older_replay_at_the_same_ratio(tmp_path, monkeypatch):
    experiment = catch(350, period=150)
    directory = run_directory.create(tmp_path, experiment)
    run, environment = ready_run(experiment, directory)
    run = run._replace(grace=0.0, lease=generation.take(directory))
    preempted(run, environment, 230, monkeypatch)
    saved = checkpoint.newest(directory)
    assert (saved.counts.clock, saved.replay_of) == (230, 150)
    assert saved.extra["exact"] is False
    inserted = saved.extra["store"]["inserted"]

    run, environment = ready_run(experiment, directory, saved)
    begun = []
    restore = InProcess.restore

    def noted(self, *arguments):
        restore(self, *arguments)
        begun.append((self.inserted, self.size))

    with monkeypatch.context() as patched:
        patched.setattr(InProcess, "restore", noted)
        play(run, environment)
    assert begun == [(inserted, inserted)] and 130 < inserted <= 150
    ended = checkpoint.newest(directory)
    assert (ended.counts.clock, ended.replay_of) == (350, None)
    # One update for each transition: 32 samples per insert, batches of 32. The store
    # counts the first 150 steps and the last 120; episodes that end early store less.
    storage = experiment.agent.storage
    assert storage.samples_per_insert == storage.batch_size == 32
    updates = ended.counts.learner_steps - saved.counts.learner_steps
    assert 120 - 2 * 9 <= updates <= 120
    store = ended.extra["store"]
    assert store["sampled"] == 32 * (store["inserted"] - storage.min_size)
    rows = [row["actor_steps"] for row in metrics(directory) if "q_loss" in row]
    assert rows == sorted(set(rows))


def test_a_run_that_another_start_has_taken_over_ends(tmp_path):
    experiment = catch(300)
    directory = run_directory.create(tmp_path, experiment)
    run, environment = ready_run(experiment, directory)
    run = run._replace(lease=generation.take(directory))
    generation.take(directory)
    with pytest.raises(errors.SaveFailed, match="generation 1 must not write any more"):
        play(run, environment)
    assert checkpoint.kept(directory) == []
