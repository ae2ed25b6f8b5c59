"""Minari datasets whose episodes are broken: one line with file, key and remedy.

Every array and attribute of an episode is deleted and replaced in turn.
"""

import h5py
import numpy as np
import pytest

from launch.datasets.load import load
from launch.errors import DatasetError
from launch.experiment import DatasetReading
from tests.launch.datasets.hopper_minari import (
    EPISODES,
    HOPPER,
    SPEC,
    check_sound,
    read,
    refusal,
)

COLUMNS = ("observations", "actions", "rewards", "terminations", "truncations")


@pytest.fixture
def data(hopper_minari):
    """The data directory of a sound dataset."""
    return hopper_minari / "data"


def test_a_file_cut_short_is_refused_wherever_it_is_cut(data):
    file = data / "main_data.hdf5"
    content = file.read_bytes()
    for size in [0, 7, 100, *range(1000, len(content), len(content) // 13)]:
        file.write_bytes(content[:size])
        refusal(data, "main_data.hdf5")


def test_damaged_bytes_never_end_in_a_traceback(data):
    file = data / "main_data.hdf5"
    content = file.read_bytes()
    draw = np.random.default_rng(5)
    for _ in range(25):
        damaged = bytearray(content)
        start = int(draw.integers(len(content)))
        damaged[start : start + 64] = draw.bytes(len(damaged[start : start + 64]))
        file.write_bytes(damaged)
        try:
            read(data)
        except DatasetError as error:
            assert "\n" not in str(error)


@pytest.fixture
def changed(data):
    """Changes the HDF5 file by a function, and returns the data directory."""

    def change(function):
        with h5py.File(data / "main_data.hdf5", "a") as file:
            function(file)
        return data

    return change


def put(name, value):
    def function(file):
        del file[name]
        if isinstance(value, dict):
            file.create_group(name).update(value)
        else:
            file[name] = value

    return function


@pytest.mark.parametrize("key", COLUMNS)
@pytest.mark.parametrize(
    "wrong",
    [
        None,
        {"goal": [1.0, 2.0]},
        h5py.SoftLink("/gone"),
        h5py.ExternalLink("gone.hdf5", "/gone"),
        h5py.Empty("f"),
        np.float32(3),
        np.zeros(0),
        np.full(4, np.nan),
        np.zeros((4, 2, 2)),
        np.zeros(99),
        np.array([b"a"] * 4),
        np.array([1j] * 4),
    ],
    ids=str,
)
def test_each_column_that_is_missing_or_wrong_is_named(changed, key, wrong):
    name = f"episode_2/{key}"
    if wrong is None:
        data = changed(lambda file: file.__delitem__(name))
    else:
        data = changed(put(name, wrong))
    refusal(data, "episode_2", key if key in COLUMNS[:2] else "")
    rewards = np.concatenate([episode.rewards for episode in EPISODES[:2]])
    dataset = read(data, skip=True)
    assert dataset.transitions.reward.tolist() == rewards.tolist()
    note = f"{data.parent}: left out 1 of 3 episodes: episode_2; the first: "
    assert dataset.notes[0].startswith(note)


@pytest.mark.parametrize("key", ["id", "total_steps"])
@pytest.mark.parametrize("wrong", [None, 7, 0.5, "x", np.zeros(2, int)])
def test_each_attribute_that_is_missing_or_wrong_is_named(changed, key, wrong):
    def change(file):
        del file["episode_1"].attrs[key]
        if wrong is not None:
            file["episode_1"].attrs[key] = wrong

    data = changed(change)
    refusal(data, "episode_1 must have", key)
    assert read(data, skip=True).size == 7


def test_other_attributes_and_arrays_have_no_effect(changed):
    def change(file):
        file["episode_0/extra/x"] = np.zeros(2)
        file["episode_1"].pop("infos", None)
        file["episode_1"]["infos"] = h5py.SoftLink("/gone")
        file["episode_0"].attrs["seed"] = "x"
        file["other"] = 3

    check_sound(changed(change))


@pytest.mark.parametrize("wrong", [3.0, None, {"a": 3}])
def test_an_episode_that_is_missing_or_no_group_is_named(changed, wrong):
    if wrong is None:
        data = changed(lambda file: file.move("episode_1", "episode_9"))
    else:
        data = changed(put("episode_1", wrong))
    refusal(data, "episode_1")
    assert read(data, skip=True).size == 7


def test_too_few_observations_are_named_and_the_episode_can_be_left_out(changed):
    data = changed(lambda file: file["episode_2/observations"].resize(4, axis=0))
    assert refusal(data).endswith(
        "episode_2/observations must have one row more than the 4 of rewards, got 4; "
        "get the dataset again, or correct the file, or leave such episodes out with "
        "--dataset.skip_bad_episodes true"
    )
    assert read(data, skip=True).notes == (
        f"{data.parent}: left out 1 of 3 episodes: episode_2; the first: "
        "episode_2/observations must have one row more than the 4 of rewards, got 4",
    )


def test_if_all_episodes_are_bad_the_dataset_is_refused(changed):
    def change(file):
        for number in range(3):
            file[f"episode_{number}/rewards"][0] = np.inf

    data = changed(change)
    with pytest.raises(
        DatasetError, match=r"all 3 episodes are bad, .*row 0: must be "
    ):
        read(data, skip=True)


def test_actions_out_of_bounds_are_clipped_and_counted(changed):
    def change(file):
        file["episode_0/actions"][1] = [-1.25, 0, 1]
        file["episode_2/actions"][0] = [0, 0, 1.125]

    data = changed(change)
    assert "--dataset.clip_actions true" in refusal(data, "episode_0/actions, row 1")
    dataset = load(str(data.parent), SPEC, HOPPER, DatasetReading(clip_actions=True))
    assert dataset.transitions.action[1].tolist() == [-1, 0, 1]
    assert dataset.transitions.action[4].tolist() == [0, 0, 1]
    assert dataset.notes == (
        f"{data.parent}: actions of 2 of 8 rows were out of bounds and are clipped; "
        "the farthest was 0.25 beyond, with bounds scaled to [-1, 1]",
    )
    assert read(data, skip=True).size == 1


def test_columns_of_shape_one_are_read(changed):
    def change(file):
        for number in range(3):
            for key in ("rewards", "terminations", "truncations"):
                column = file[f"episode_{number}/{key}"][()]
                put(f"episode_{number}/{key}", column.astype(">f8")[:, None])(file)

    check_sound(changed(change))
