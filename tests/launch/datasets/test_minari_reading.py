"""Minari datasets, written to disk and read back."""

import json
from pathlib import Path

import gymnasium
import h5py
import minari
import numpy as np
import pytest
from minari.data_collector import EpisodeBuffer

from agents.parts.contract import discrete_spec
from environments import Adroit, Locomotion
from launch.datasets import minari_reading, minari_writing, source_environment
from launch.datasets.episode import split
from launch.datasets.load import load
from launch.datasets.source_environment import Native
from launch.errors import DatasetError
from tests.launch.datasets.minari_datasets import EPISODES, ID, SPEC, TEXT
from tests.launch.datasets.random_data import episodes, spec_of

COMMITTED = Path(__file__).parents[2] / "data"


def test_a_written_dataset_is_read_back_exactly(written_minari):
    for source in (ID, str(written_minari), str(written_minari / "data")):
        dataset = load(source, SPEC)
        step = dataset.transitions
        for name, expected in {
            "observation": np.concatenate([e.observations[:-1] for e in EPISODES]),
            "action": np.concatenate([e.actions for e in EPISODES]),
            "reward": np.concatenate([e.rewards for e in EPISODES]),
            "next_observation": np.concatenate([e.observations[1:] for e in EPISODES]),
            "discount": np.array([1, 1, 0, 1, 1, 1, 1, 0], np.float32),
        }.items():
            column = getattr(step, name)
            np.testing.assert_array_equal(column, expected)
            assert column.dtype == np.float32
        assert np.flatnonzero(dataset.ends).tolist() == [2, 3, 7]
        assert dataset.reference == (-7, 13)
    for read, told in zip(split(dataset), EPISODES, strict=True):
        for one, other in zip(read, told, strict=True):
            np.testing.assert_array_equal(one, other)


def test_an_unknown_id_is_refused_with_place_and_remedy(minari_root):
    with pytest.raises(
        DatasetError,
        match=f"looked in .*{Path.cwd()} and in {minari_root} .*collect.*download ab/",
    ):
        load("ab/c-v0", SPEC)
    assert not minari_root.exists()


@pytest.mark.parametrize(
    "key, row, value, message",
    [
        ("observations", 4, np.nan, "episode_2/observations, row 4: .*nan"),
        ("observations", 0, np.inf, "episode_2/observations, row 0: .*inf"),
        ("actions", 1, -1.5, r"episode_2/actions, row 1: \[-1.5, -1.5\] is out of"),
        ("rewards", 2, np.nan, "episode_2/rewards, row 2: .*nan"),
        (
            "terminations",
            3,
            False,
            "episode_2/truncations, row 3: the last row neither",
        ),
        ("truncations", 1, True, "episode_2/truncations, row 1: .*continues to row 3"),
    ],
)
def test_errors_name_file_key_and_row(written_minari, key, row, value, message):
    with h5py.File(written_minari / "data/main_data.hdf5", "a") as file:
        file[f"episode_2/{key}"][row] = value
    with pytest.raises(DatasetError, match=f"three-v0: {message}") as error:
        load(ID, SPEC)
    assert "\n" not in str(error.value)


def test_wrong_lengths_missing_keys_and_overlaps_are_refused(written_minari):
    path = written_minari / "data/main_data.hdf5"
    with h5py.File(path, "a") as file:
        file["episode_1"].attrs["id"] = 0
    with pytest.raises(
        DatasetError, match=r"episode_1 must have id 1 .*attribute is 0: .* overlap"
    ):
        load(ID, SPEC)
    with h5py.File(path, "a") as file:
        file["episode_0/observations"].resize(3, axis=0)
    with pytest.raises(DatasetError, match="observations must have one row more "):
        load(ID, SPEC)
    with h5py.File(path, "a") as file:
        del file["episode_0/rewards"]
    with pytest.raises(DatasetError, match=r"episode_0/rewards .* it is missing"):
        load(ID, SPEC)
    (written_minari / "data/metadata.json").write_text(
        json.dumps({"data_format": "hdf5"})
    )
    with pytest.raises(DatasetError, match=r"metadata.json has no total_episodes; get"):
        load(ID, SPEC)


def test_a_dataset_of_another_environment_is_refused(written_minari):
    with pytest.raises(DatasetError, match=r"json: action_space has .*\(2,\).*\(3,\)"):
        load(ID, spec_of(observation=5, action=3))
    discrete = discrete_spec(SPEC.observation.shape, np.float32, 4)
    with pytest.raises(DatasetError, match="environment has discrete ones"):
        load(ID, discrete)


def test_a_dataset_of_another_environment_with_equal_shapes_is_refused(minari_root):
    walker = Native(
        "Walker2d-v5", np.full(6, -1, np.float32), np.full(6, 1, np.float32)
    )
    minari_writing.write(ID, episodes([2], observation=17, action=6), walker, TEXT)
    spec = spec_of(observation=17, action=6)
    assert load(ID, spec, Locomotion("Walker2d-v5")).size == 2
    with pytest.raises(DatasetError, match=r"env_spec is Walker2d-v5, .*HalfCheetah"):
        load(ID, spec, Locomotion("HalfCheetah-v5"))
    assert source_environment.family(Adroit("pen")) == "AdroitHandPen"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "observations, actions, message",
    [
        ("Dict", "Box", "observation_space must .* got a Dict: .*FlattenObservation"),
        ("Box", "Discrete", "action_space must be a Box, got a Discrete: .*continuous"),
        ("Box", "unbounded", "action_space: actions must have finite bounds"),
    ],
)
def test_unsupported_spaces_are_refused(observations, actions, message):
    box = gymnasium.spaces.Box(-1, 1, (5,))
    spaces = {
        "Box": box,
        "Dict": gymnasium.spaces.Dict({"observation": box, "goal": box}),
        "Discrete": gymnasium.spaces.Discrete(3),
        "unbounded": gymnasium.spaces.Box(-np.inf, np.inf, (2,)),
    }
    seen = np.zeros((2, 5), np.float32)
    buffer = EpisodeBuffer(
        observations={"observation": seen, "goal": seen}
        if observations == "Dict"
        else seen,
        actions=np.zeros(1, int)
        if actions == "Discrete"
        else np.zeros((1, 2), np.float32),
        rewards=np.zeros(1),
        terminations=np.ones(1, bool),
        truncations=np.zeros(1, bool),
        infos={},
    )
    minari.create_dataset_from_buffers(
        ID,
        [buffer],
        observation_space=spaces[observations],
        action_space=spaces[actions],
    )
    with pytest.raises(DatasetError, match=f"three-v0/data/metadata.json: {message}"):
        load(ID, SPEC)


def test_the_committed_dataset_is_hopper_with_random_actions(monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(COMMITTED))
    hopper = spec_of(observation=11, action=3)
    dataset = load("munchausen/hopper/random-v0", hopper, Locomotion("Hopper-v5"))
    assert dataset.reference == (-20.272305, 3234.3)
    assert 50 <= dataset.size <= 200 and dataset.ends[-1]
    assert minari_reading.is_dataset(COMMITTED / "munchausen/hopper/random-v0")
