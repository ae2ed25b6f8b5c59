"""A run's replay read as a dataset, from a store filled by its own methods."""

import functools

import numpy as np
import pytest

from agents.parts.contract import Storage
from launch.datasets import from_run
from launch.errors import DatasetError
from launch.runs import logs
from launch.runs.checkpoint import Checkpoint
from tests.launch.datasets.random_data import spec_of
from tests.launch.datasets.two_lanes import SPEC, save_store

STORAGE = Storage()


@pytest.fixture
def saved(tmp_path):
    """Makes the checkpoint of a store, see `save_store`."""
    return functools.partial(save_store, tmp_path)


def test_transitions_are_complete_and_in_the_order_in_which_episodes_began(saved):
    dataset = from_run.read("run", saved(), SPEC, STORAGE)
    step = dataset.transitions
    rows = [
        *[(0, 1, 1, 1, False), (1, 2, 2, 0, True)],  # lane 0 terminates
        *[(100, 101, 101, 1, False), (101, 102, 102, 1, False)],
        *[(102, 103, 103, 1, False), (103, 104, 104, 1, True)],  # lane 1 is cut short
        *[(3, 4, 4, 1, False), (4, 5, 5, 1, False), (5, 6, 6, 1, True)],
        (105, 106, 106, 1, True),  # unfinished when the run was saved
    ]
    columns = (
        step.observation[:, 0],
        step.next_observation[:, 1],
        step.reward,
        step.discount,
        dataset.ends,
    )
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == rows
    # The action of step k is k / 10; step k leads to an observation k or 100 + k.
    steps = step.next_observation[:, :1] % 100
    np.testing.assert_allclose(step.action, steps / 10)


def test_overwritten_transitions_are_not_read(saved):
    step = from_run.read(
        "run", saved(capacity=8), SPEC, STORAGE
    ).transitions  # 4 rows a lane
    assert step.observation[:, 0].tolist() == [3, 4, 5, 103, 105]


@pytest.mark.parametrize(
    "settings, storage, message",
    [
        (
            {"store": "reverb"},
            {},
            "Reverb server's replay.*--launch local.*collect run",
        ),
        ({"store": {"inserted": 7}}, {}, "has a queue, .* used once.*collect run"),
        ({}, {"n_step": 3}, "summed over 3 steps.*--agent.storage.n_step 1"),
        (
            {},
            {"terminal_at_time_limit": True},
            "--agent.storage.terminal_at_time_limit false, or .*collect run",
        ),
    ],
)
def test_a_replay_that_cannot_be_read_is_refused(saved, settings, storage, message):
    with pytest.raises(DatasetError, match=message):
        from_run.read("run", saved(**settings), SPEC, Storage(**storage))


def test_a_checkpoint_without_a_replay_is_refused(tmp_path):
    bare = Checkpoint(tmp_path / "none", logs.Counts(12), {"store": {}})
    with pytest.raises(DatasetError, match=r"no replay: .*--checkpoint.replay true"):
        from_run.read("run", bare, SPEC, STORAGE)


def test_a_replay_of_another_environment_and_nan_are_refused(saved, tmp_path):
    checkpoint = saved()
    other = spec_of(observation=2, action=3)
    with pytest.raises(DatasetError, match=r"lane 0: action.npy has shape .*\(5, 3\)"):
        from_run.read("run", checkpoint, other, STORAGE)
    path = tmp_path / "replay/reward.npy"
    rewards = np.load(path)
    rewards[1, 2] = np.nan  # lane 1's second transition
    np.save(path, rewards)
    with pytest.raises(DatasetError, match=r"lane 1: reward.npy, row 1: .*nan"):
        from_run.read("run", checkpoint, SPEC, STORAGE)


def test_discounts_that_a_dataset_would_lose_are_refused(saved, tmp_path):
    checkpoint = saved()
    path = tmp_path / "replay/discount.npy"
    discounts = np.load(path)
    discounts[1, 2] = 0.75  # lane 1's second transition
    np.save(path, discounts)
    said = r"lane 1: discount.npy, row 1: .* must be 0 or 1, .*terminated, got 0.75$"
    with pytest.raises(DatasetError, match=said):
        from_run.read("run", checkpoint, SPEC, STORAGE)
