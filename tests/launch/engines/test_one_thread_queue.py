"""Local runs with a queue: no transition is old, and a resumed run is the same."""

import jax
import numpy as np
import pytest

from launch.policies import saved_policy
from launch.runs import checkpoint, run_directory
from tests.launch.interrupted_runs import catch, metrics, rows, run_until
from tests.launch.local_runs import run_local, run_new
from tests.launch.small_experiments import changed


def queued(steps, environments, batch_size=7):
    """Catch, learned from a queue; the batch does not divide what the lanes give."""
    settings = {
        "order": "queue",
        "samples_per_insert": 1.0,
        "min_size": 1,
        "capacity": batch_size,
        "batch_size": batch_size,
    }
    return changed(
        catch(steps, environments=environments),
        {f"agent.storage.{name}": value for name, value in settings.items()},
    )


def learner_rows(directory):
    return [row for row in metrics(directory) if "staleness_max" in row]


def test_with_as_many_environments_as_a_batch_all_transitions_are_new(tmp_path):
    directory = run_new(tmp_path, queued(500, environments=7))
    found = learner_rows(directory)
    assert len(found) >= 6
    assert {(row["staleness_mean"], row["staleness_max"]) for row in found} == {(0, 0)}
    last = checkpoint.newest(directory).counts
    assert last.learner_steps == last.actor_steps // 7 == -(-500 // 7)


def test_a_transition_that_is_left_over_is_used_by_the_next_update(tmp_path):
    directory = run_new(tmp_path, queued(500, environments=5))
    assert {row["staleness_max"] for row in learner_rows(directory)} <= {0, 1}
    last = checkpoint.newest(directory).counts
    assert last.actor_steps == 500 and last.learner_steps == 500 // 7


@pytest.mark.parametrize(
    ("environments", "replay", "exact"),
    [(5, True, True), (5, False, False), (7, False, True)],
)
def test_a_checkpoint_without_what_is_left_over_is_not_exact(
    environments, replay, exact, tmp_path, monkeypatch
):
    """The batch is 7: after 203 steps nothing is left over, after 200 four are."""
    experiment = queued(500, environments=environments)
    experiment = changed(experiment, {"checkpoint.replay": replay})
    cut = run_directory.create(tmp_path / "cut", experiment)
    run_until(experiment, cut, 330, monkeypatch)
    saved = checkpoint.newest(cut)
    assert saved.counts.actor_steps == {5: 200, 7: 203}[environments]
    assert saved.extra[checkpoint.EXACT] == exact


def test_resumed_run_equals_the_uninterrupted_one(tmp_path, monkeypatch):
    experiment = queued(500, environments=5)
    whole = run_new(tmp_path / "whole", experiment)
    cut = run_directory.create(tmp_path / "cut", experiment)
    run_until(experiment, cut, 330, monkeypatch)
    saved = checkpoint.newest(cut)
    assert saved.counts.actor_steps == 200
    left = np.load(saved.replay / "leaf1.npy")
    assert left.shape == (200 % 7,) and left.dtype == np.int32, "actions left over"
    run_local(experiment, cut, resume=saved)
    assert metrics(cut) == metrics(whole)
    assert rows(cut, "evaluations.csv") == rows(whole, "evaluations.csv")
    ends = [saved_policy.load(each)[2] for each in (cut, whole)]
    for one, other in zip(*map(jax.tree.leaves, ends), strict=True):
        np.testing.assert_array_equal(one, other)
