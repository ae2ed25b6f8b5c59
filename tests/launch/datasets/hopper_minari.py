"""A small Minari dataset of Hopper, to be broken by tests."""

import numpy as np
import pytest

from environments import Locomotion
from launch.datasets import minari_writing
from launch.datasets.d4rl_scores import REFERENCES
from launch.datasets.load import load
from launch.datasets.source_environment import Native
from launch.errors import DatasetError
from launch.experiment import DatasetReading
from tests.launch.datasets.minari_datasets import TEXT
from tests.launch.datasets.random_data import episodes, spec_of

ID = "ours/hopper-v0"
HOPPER = Locomotion("Hopper-v5")
SPEC = spec_of(observation=11, action=3)
EPISODES = episodes([3, 1, 4], observation=11, action=3)


def write():
    """Writes the dataset; returns its directory."""
    bounds = np.full(3, -1, np.float32), np.full(3, 1, np.float32)
    native = Native("Hopper-v5", *bounds)
    told = TEXT._replace(reference=REFERENCES["hopper"])
    return minari_writing.write(ID, EPISODES, native, told)


def read(data, skip=False):
    """Reads a dataset by its `data` directory."""
    reading = DatasetReading(skip_bad_episodes=skip)
    return load(str(data.parent), SPEC, HOPPER, reading)


def refusal(data, *parts):
    """The message with which a dataset is refused: one line with these parts."""
    with pytest.raises(DatasetError) as error:
        read(data)
    message = str(error.value)
    assert "\n" not in message and str(data.parent) in message
    remedies = ("correct", "choose", "set ", "write", "clip")
    assert any(remedy in message for remedy in remedies)
    for part in parts:
        assert part in message
    return message


def check_sound(data):
    """Checks that a dataset is read, with the transitions that `write` wrote."""
    dataset = read(data)
    rewards = np.concatenate([episode.rewards for episode in EPISODES])
    assert dataset.transitions.reward.tolist() == rewards.tolist()
    assert np.flatnonzero(dataset.ends).tolist() == [2, 3, 7]
