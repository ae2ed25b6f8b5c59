"""A run's replay as a dataset, from a store that was really filled."""

import dm_env
import numpy as np
import pytest

from agents.parts.contract import Storage
from launch.datasets import from_run
from launch.datasets.episode import split
from launch.errors import DatasetError
from launch.policies.record_episodes import Recording
from launch.replay.in_process import InProcess
from launch.runs import logs
from launch.runs.checkpoint import Checkpoint
from tests.launch.offline_data import spec_of

FIRST, MID, LAST = (int(kind) for kind in dm_env.StepType)
SPEC = spec_of(observation=2, action=1)
# Lane 0 terminates after 2 steps and is cut short after 3; lane 1 goes on.
SCRIPT = [
    ([MID, MID], [1, 1]),
    ([LAST, MID], [0, 1]),
    ([FIRST, MID], [1, 1]),
    ([MID, LAST], [1, 1]),
    ([MID, FIRST], [1, 1]),
    ([LAST, MID], [1, 1]),
]


def observed(step):
    """Lane i observes 100 i + step, twice."""
    return np.repeat([[step], [100 + step]], 2, axis=1).astype(np.float32)


def drive(adder):
    zeros, ones = np.zeros(2, np.float32), np.ones(2, np.float32)
    first = np.full(2, FIRST)
    adder.observe_first(dm_env.TimeStep(first, zeros, ones, observed(0)))
    for step, (kinds, discounts) in enumerate(SCRIPT, start=1):
        action = np.full((2, 1), step / 10, np.float32)
        reward = np.array([step, 100 + step], np.float32)
        adder.observe(
            action,
            dm_env.TimeStep(
                np.array(kinds), reward, np.array(discounts), observed(step)
            ),
        )


@pytest.fixture
def saved(tmp_path):
    """Makes the checkpoint of a store of this capacity."""

    def make(capacity=100, n_step=1, store=None):
        storage = Storage(n_step=n_step, capacity=capacity, min_size=1)
        filled = InProcess(
            storage, SPEC, discount=0.9, frame_stack=1, num_environments=2, seed=0
        )
        drive(filled)
        filled.save(tmp_path / "replay")
        extra = {"store": filled.progress() if store is None else store}
        return Checkpoint(tmp_path, logs.Counts(12), extra)

    return make


def test_every_transition_is_there_in_the_order_in_which_episodes_began(saved):
    dataset = from_run.read("run", saved(), SPEC)
    step = dataset.transitions
    rows = [
        *[(0, 1, 1, 1, False), (1, 2, 2, 0, True)],  # lane 0 terminates
        *[(100, 101, 101, 1, False), (101, 102, 102, 1, False)],
        *[(102, 103, 103, 1, False), (103, 104, 104, 1, True)],  # lane 1 is cut short
        *[(3, 4, 4, 1, False), (4, 5, 5, 1, False), (5, 6, 6, 1, True)],
        (105, 106, 106, 1, True),  # under way when the run was saved
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


def test_what_was_overwritten_is_not_there(saved):
    step = from_run.read("run", saved(capacity=8), SPEC).transitions  # 4 rows a lane
    assert step.observation[:, 0].tolist() == [3, 4, 5, 103, 105]


def test_recording_takes_down_what_the_store_holds(saved):
    recording = Recording(steps=1_000)
    drive(recording)
    stored = list(split(from_run.read("run", saved(), SPEC)))
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


def test_the_beginning_of_an_episode_is_cut_short():
    recording = Recording(steps=1)
    drive(recording)
    whole = recording.episodes[0]
    assert whole.terminated and whole.first(2) is whole
    part = whole.first(1)
    assert (part.length, len(part.observations), part.terminated) == (1, 2, False)


@pytest.mark.parametrize(
    "settings, n_step, message",
    [
        ({"store": "reverb"}, 1, "Reverb server's replay.*--launch local.*collect run"),
        ({"n_step": 3}, 3, "summed over 3 steps.*--agent.storage.n_step 1"),
    ],
)
def test_what_cannot_be_read_is_said(saved, settings, n_step, message):
    with pytest.raises(DatasetError, match=message):
        from_run.read("run", saved(**settings), SPEC, n_step=n_step)


def test_a_checkpoint_without_a_replay_is_said(tmp_path):
    bare = Checkpoint(tmp_path / "none", logs.Counts(12), {"store": {}})
    with pytest.raises(DatasetError, match=r"no replay: .*--checkpoint.replay true"):
        from_run.read("run", bare, SPEC)


def test_another_environment_and_nan_are_said(saved, tmp_path):
    checkpoint = saved()
    other = spec_of(observation=2, action=3)
    with pytest.raises(DatasetError, match=r"lane 0: action.npy has rows .*\(3,\)"):
        from_run.read("run", checkpoint, other)
    path = tmp_path / "replay/reward.npy"
    rewards = np.load(path)
    rewards[1, 2] = np.nan  # lane 1's second transition
    np.save(path, rewards)
    with pytest.raises(DatasetError, match=r"lane 1: reward.npy, row 1: nan"):
        from_run.read("run", checkpoint, SPEC)
