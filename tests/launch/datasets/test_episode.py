"""Episodes of a dataset, and their beginnings."""

import numpy as np

from agents.parts.contract import Transition
from launch.datasets.dataset import Dataset
from launch.datasets.episode import split
from launch.policies.record_episodes import Recording
from tests.launch.datasets.random_data import episodes
from tests.launch.datasets.two_lanes import drive


def test_the_beginning_of_an_episode_is_cut_short():
    recording = Recording(steps=1)
    drive(recording)
    whole = recording.episodes[0]
    assert whole.terminated and whole.first(2) is whole
    part = whole.first(1)
    assert (part.length, len(part.observations), part.terminated) == (1, 2, False)


def test_a_dataset_is_split_where_its_episodes_end():
    """Rewards 1 and 2, then 4; the first episode terminates, the second does not."""
    column = np.arange(4, dtype=np.float32)[:, None]
    transitions = Transition(
        column[:3] * 10,
        np.zeros((3, 2), np.float32),
        np.array([1, 2, 4], np.float32),
        np.array([1, 0, 1], np.float32),
        column[1:] * 10 + 1,
    )
    ends = np.array([False, True, True])
    first, second = split(Dataset("by hand", transitions, ends))
    assert first.observations[:, 0].tolist() == [0, 10, 21]
    assert (first.rewards.tolist(), first.terminated) == ([1, 2], True)
    assert second.observations[:, 0].tolist() == [20, 31]
    assert (second.length, second.terminated) == (1, False)
    assert (first.episode_return, second.episode_return) == (3.0, 4.0)


def test_a_return_is_summed_in_double_precision():
    [episode] = episodes([3])
    large = np.array([2.0**25, 1.0, -(2.0**25)], np.float32)
    assert episode._replace(rewards=large).episode_return == 1.0
