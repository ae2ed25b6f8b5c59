"""Local runs that act while the learner computes: exact, reproducible, resumable."""

import dataclasses

import pytest

from launch.experiment import Evaluation
from launch.runs import checkpoint, run_directory
from tests.launch.greedy_runs import greedy, result
from tests.launch.interrupted_runs import run_until
from tests.launch.local_runs import run_local, run_new


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that acts under its updates, from beginning to end."""
    return run_new(tmp_path_factory.mktemp("whole"), greedy())


def test_equal_seeds_give_equal_runs_that_are_not_those_of_taking_turns(
    whole, tmp_path
):
    again = run_new(tmp_path / "again", greedy())
    assert result(again) == result(whole)
    turns = run_new(tmp_path / "turns", greedy(act_under_update=False))
    assert result(turns) != result(whole)
    last = checkpoint.newest(whole).counts
    assert last.learner_steps == int(40.0 * (last.actor_steps - 100) // 32)
    assert checkpoint.newest(turns).counts == last


def test_a_resumed_run_equals_the_uninterrupted_one(whole, tmp_path, monkeypatch):
    cut = run_directory.create(tmp_path, greedy())
    run_until(greedy(), cut, 330, monkeypatch)
    saved = checkpoint.newest(cut)
    assert 200 <= saved.counts.actor_steps < 203
    run_local(greedy(), cut, resume=saved)
    assert result(cut) == result(whole)


@pytest.mark.slow
def test_a_lockstep_evaluator_acts_under_the_updates_as_well(tmp_path, monkeypatch):
    lockstep = Evaluation(period=150, lockstep=True)
    experiment = dataclasses.replace(greedy(), evaluation=lockstep)
    first = run_new(tmp_path / "first", experiment)
    cut = run_directory.create(tmp_path / "cut", experiment)
    run_until(experiment, cut, 330, monkeypatch)
    run_local(experiment, cut, resume=checkpoint.newest(cut))
    assert result(cut) == result(first)
