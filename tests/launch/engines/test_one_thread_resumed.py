"""A local run that was cut short and resumed equals one that was not."""

import dataclasses

import jax
import numpy as np
import pytest

from launch.experiment import Checkpointing, Evaluation
from launch.policies import saved_policy
from launch.runs import checkpoint, checkpoint_saving, run_directory, schedule
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
    check_equal(cut, whole)


def check_equal(directory, other):
    """Two runs have equal logs and have learned the same."""
    assert metrics(directory) == metrics(other)
    for name in ("evaluations.csv", "metrics.csv"):
        assert rows(directory, name) == rows(other, name)
    ends = [saved_policy.load(each)[2] for each in (directory, other)]
    for left, right in zip(*map(jax.tree.leaves, ends), strict=True):
        np.testing.assert_array_equal(left, right)


def late_every(calls, monkeypatch):
    """Makes a checkpoint due by wall time at every so many turns."""
    turns = iter(range(1, 10_000))
    monkeypatch.setattr(
        schedule.SaveTimer, "late", lambda self: next(turns) % calls == 0
    )


@pytest.mark.parametrize("lockstep", [False, True])
def test_saves_by_wall_time_do_not_change_a_run(lockstep, tmp_path, monkeypatch):
    evaluation = Evaluation(period=150, episodes=3, lockstep=lockstep)
    experiment = catch(500, environments=3, evaluation=evaluation)
    whole = run_new(tmp_path / "whole", experiment)
    saves = []
    save = checkpoint_saving.save

    def noted(directory, counts, state, *, extra, **others):
        saves.append((counts.actor_steps, extra[checkpoint.EXACT]))
        return save(directory, counts, state, extra=extra, **others)

    monkeypatch.setattr(checkpoint_saving, "save", noted)
    late_every(40, monkeypatch)
    often = run_new(tmp_path / "often", experiment)
    # 3 steps a turn, none in each tenth turn after a start, in which episodes begin.
    # The turns that pass the grid, the 74th after a start, do not look at the clock.
    assert saves == [
        (36 * 3, False),
        (201, True),
        (201 + 7 * 3, False),
        (201 + 43 * 3, False),
        (402, True),
        (402 + 13 * 3, False),
        (501, False),
    ]
    assert checkpoint.kept(often) == [402, 501]
    check_equal(often, whole)


def test_a_run_resumes_from_a_save_by_wall_time(tmp_path, monkeypatch):
    experiment = catch(500, period=10_000)
    cut = run_directory.create(tmp_path, experiment)
    late_every(90, monkeypatch)
    run_until(experiment, cut, 330, monkeypatch)
    assert checkpoint.kept(cut) == [243, 324]  # 90 turns are 81 steps
    saved = checkpoint.newest(cut)
    assert saved.extra[checkpoint.EXACT] is False
    run_local(experiment, cut, resume=saved)
    evaluated = [int(row["grid"]) for row in rows(cut, "evaluations.csv")]
    assert evaluated == [150, 300, 450, 500]


@pytest.mark.parametrize(
    "lockstep", [False, pytest.param(True, marks=pytest.mark.slow)]
)
def test_a_run_that_is_extended_equals_a_long_one(lockstep, tmp_path):
    """If the shorter one ends at multiples of all periods."""
    evaluation = Evaluation(period=150, episodes=3, lockstep=lockstep)
    long = catch(600, period=150, log_period=50, evaluation=evaluation)
    whole = run_new(tmp_path / "whole", long)
    extended = run_new(tmp_path / "extended", dataclasses.replace(long, steps=300))
    saved = checkpoint.newest(extended)
    assert saved.counts.actor_steps == 300
    assert saved.extra[checkpoint.EXACT] is True
    run_local(long, extended, resume=saved)
    check_equal(extended, whole)


@pytest.mark.parametrize("replay", [True, False])
def test_only_a_checkpoint_with_its_replay_is_exact(replay, tmp_path):
    saving = Checkpointing(period=100, replay=replay)
    experiment = catch(310, checkpoint=saving)
    directory = run_new(tmp_path, experiment)
    saved = [checkpoint.at(directory, step) for step in checkpoint.kept(directory)]
    on_grid = [each for each in saved if each.counts.clock % 100 == 0]
    assert on_grid and all(each.extra[checkpoint.EXACT] is replay for each in on_grid)
    assert all((each.replay is not None) is replay for each in saved)
