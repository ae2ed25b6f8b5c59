"""Episodes are taken down whole, as they are played."""

import numpy as np

from launch.datasets import from_run
from launch.datasets.episode import split
from launch.policies.record_episodes import Recording
from tests.launch.datasets.two_lanes import SPEC, drive, save_store


def test_recording_takes_down_what_the_store_holds(tmp_path):
    recording = Recording(steps=1_000)
    drive(recording)
    stored = list(split(from_run.read("run", save_store(tmp_path), SPEC)))
    # The store has an episode more: the one under way.
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


def test_recording_begins_nothing_once_it_has_enough_but_ends_what_it_began():
    recording = Recording(steps=4)
    drive(recording)
    # Both lanes were under way at the fourth step: lane 0 ended, lane 1 went on to
    # its end, and no third episode began.
    assert [episode.length for episode in recording.episodes] == [2, 4]
    assert recording.done
