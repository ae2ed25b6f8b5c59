"""Datasets collected with a run's policies, and runs that cannot be collected from."""

import numpy as np
import pytest

from launch.datasets.load import load
from launch.errors import DatasetError
from launch.policies import collect
from launch.policies.collect import Request
from launch.runs import run_directory
from tests.launch.datasets.random_data import spec_of
from tests.launch.local_runs import run_new
from tests.launch.small_experiments import pendulum

ACTING = {
    "agent.exploration.start": 30,
    "agent.storage.min_size": 30,
    "agent.storage.samples_per_insert": 7.0,
}
SPEC = spec_of(observation=4, action=1)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of TD3 that acted in an inverted pendulum."""
    return run_new(tmp_path_factory.mktemp("runs"), pendulum("td3", "", **ACTING))


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))


def test_random_actions_are_collected_in_whole_episodes(run):
    found = collect.collect(Request(run, "random", steps=60, seed=1))
    assert found.dataset_id == "munchausen/hopper-medium/random-v0"
    dataset = load(found.dataset_id, SPEC)
    assert dataset.size == found.steps >= 60 and dataset.ends[-1]
    assert dataset.ends.sum() == len(found.returns)
    # The pendulum's reward is 1 for each step except the last.
    assert sum(found.returns) == dataset.transitions.reward.sum()
    actions = dataset.transitions.action
    assert abs(actions.mean()) < 0.3 and np.abs(actions).max() > 0.8


def test_the_expert_is_the_newest_checkpoint_and_is_reported(run):
    said = []
    request = Request(run, "expert", steps=20, dataset="ours/expert-v3", seed=1)
    found = collect.collect(request, said.append)
    assert said == ["expert: the checkpoint at step 90"]
    assert found.path.parts[-2:] == ("ours", "expert-v3")
    assert found.reference is None and found.steps >= 20


def test_equal_seeds_collect_equal_datasets(run):
    def rewards(name, seed):
        request = Request(run, "expert", steps=20, dataset=name, seed=seed)
        return load(collect.collect(request).dataset_id, SPEC).transitions.action

    first, again = rewards("ours/one-v0", 1), rewards("ours/one-v1", 1)
    np.testing.assert_array_equal(first, again)
    other = rewards("ours/one-v2", 2)
    assert first.shape != other.shape or (first != other).any()


def test_runs_that_never_explored_continuous_actions_are_refused(catch, tmp_path):
    discrete = run_directory.create(tmp_path, catch())
    with pytest.raises(DatasetError, match="mdqn, whose actions are discrete"):
        collect.collect(Request(discrete, "expert", 9))
    offline = run_directory.create(tmp_path, pendulum("td3", "x.hdf5"))
    with pytest.raises(DatasetError, match=r"learned from x\.hdf5 and never explored"):
        collect.collect(Request(offline, "expert", 9))
