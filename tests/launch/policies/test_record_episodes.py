"""Whole episodes are recorded as they are played."""

import dm_env
import numpy as np
import pytest

from agents.parts.contract import Storage
from launch.datasets import from_run
from launch.datasets.episode import split
from launch.errors import DatasetError
from launch.policies.record_episodes import Recording
from tests.launch.datasets.two_lanes import SPEC, drive, save_store


def test_recorded_episodes_equal_those_in_the_store(tmp_path):
    recording = Recording(steps=1_000)
    drive(recording)
    stored = list(split(from_run.read("run", save_store(tmp_path), SPEC, Storage())))
    # The store has one more episode: the unfinished one.
    for one in recording.episodes:
        assert any(
            np.array_equal(one.observations, other.observations)
            and np.array_equal(one.actions, other.actions)
            and np.array_equal(one.rewards, other.rewards)
            and one.terminated == other.terminated
            for other in stored
        )
    assert [episode.length for episode in recording.episodes] == [2, 4, 3]
    assert recording.episodes[0].episode_return == 3


def test_with_enough_steps_no_episode_begins_but_current_ones_end():
    recording = Recording(steps=4)
    drive(recording)
    # The second step of both lanes is the fourth: lane 0 ends with it, lane 1 continues
    # to its end, and no third episode begins.
    assert [episode.length for episode in recording.episodes] == [2, 4]
    assert recording.done


def test_a_discount_that_a_dataset_would_lose_is_refused():
    recording = Recording(steps=9)
    zeros = np.zeros(3, np.float32)
    first = dm_env.TimeStep(np.zeros(3, np.int32), zeros, zeros + 1, zeros)
    recording.observe_first(first)
    discounts = np.array([1, 0.75, 0], np.float32)
    after = dm_env.TimeStep(np.array([1, 1, 2]), zeros, discounts, zeros)
    said = "after 0 steps, lane 1: the environment's discounts must be 0 or 1, .*0.75"
    with pytest.raises(DatasetError, match=said):
        recording.observe(np.zeros((3, 2)), after)
