"""Minari datasets with one part missing or wrong: one line with file, key and remedy.

Every key of a sound dataset is deleted and replaced in turn. A dataset is refused, or
the part has no effect: then the same transitions are read.
"""

import json
import shutil

import h5py
import numpy as np
import pytest

from environments import ControlSuite, Locomotion
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
HOPPERS = TEXT._replace(reference=REFERENCES["hopper"])

# Keys of metadata.json without which a dataset is refused. The others only describe.
NEEDED = (
    *("total_episodes", "total_steps", "data_format"),
    *("observation_space", "action_space"),
)
# Keys that may be missing, but not be wrong.
CHECKED = (*NEEDED, "env_spec", "ref_min_score", "ref_max_score")
WRONG = [None, True, "", "{", "[]", "{}", '{"type": 3}', [], {}]

COLUMNS = ("observations", "actions", "rewards", "terminations", "truncations")


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """The directory of a sound dataset, written once."""
    place = tmp_path_factory.mktemp("sound")
    bounds = np.full(3, -1, np.float32), np.full(3, 1, np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINARI_DATASETS_PATH", str(place))
        minari_writing.write(ID, EPISODES, Native("Hopper-v5", *bounds), HOPPERS)
    return place / ID


@pytest.fixture
def data(sound, tmp_path):
    """The data directory of a copy of it."""
    return shutil.copytree(sound, tmp_path / "copy") / "data"


def read(data, skip=False):
    reading = DatasetReading(skip_bad_episodes=skip)
    return load(str(data.parent), SPEC, HOPPER, reading)


def refusal(data, *parts):
    """The message with which a dataset is refused; it has these parts."""
    with pytest.raises(DatasetError) as error:
        read(data)
    message = str(error.value)
    assert "\n" not in message and str(data.parent) in message
    assert any(
        word in message for word in ("correct", "choose", "set ", "write", "clip")
    )
    for part in parts:
        assert part in message
    return message


def is_sound(data):
    dataset = read(data)
    rewards = np.concatenate([episode.rewards for episode in EPISODES])
    assert dataset.transitions.reward.tolist() == rewards.tolist()
    assert np.flatnonzero(dataset.ends).tolist() == [2, 3, 7]


def change_metadata(data, change):
    file = data / "metadata.json"
    plain = json.loads(file.read_text())
    change(plain)
    file.write_text(json.dumps(plain))


def test_the_dataset_itself_is_read(data):
    is_sound(data)
    known = json.loads((data / "metadata.json").read_text()).keys()
    assert set(CHECKED) <= known


def test_each_missing_key_of_the_metadata_is_named(data):
    text = (data / "metadata.json").read_text()
    for key in json.loads(text):
        change_metadata(data, lambda plain, key=key: plain.pop(key))
        if key in NEEDED:
            assert f"metadata.json has no {key}; get the dataset" in refusal(data)
        else:
            is_sound(data)
        (data / "metadata.json").write_text(text)


def test_each_wrong_value_of_the_metadata_is_named(data):
    text = (data / "metadata.json").read_text()
    for key in json.loads(text):
        for value in WRONG:
            absent = value is None and key not in NEEDED
            change_metadata(data, lambda plain, k=key, v=value: plain.update({k: v}))
            if key in CHECKED and not absent:
                refusal(data, "metadata.json", key)
            else:
                is_sound(data)
            (data / "metadata.json").write_text(text)


@pytest.mark.parametrize("space", ["observation_space", "action_space"])
def test_each_key_of_a_space_is_needed_unless_it_has_no_effect(data, space):
    text = (data / "metadata.json").read_text()
    parts = json.loads(json.loads(text)[space])
    for key in parts:
        for value in ["gone", *WRONG, [0], [5, 5], [[1, 2], [3]], ["a"] * 3]:
            changed = parts | {key: value}
            if value == "gone":
                del changed[key]
            change_metadata(
                data, lambda plain, new=changed: plain.update({space: json.dumps(new)})
            )
            unused = key == "dtype" or (space, key) in (
                ("observation_space", "low"),
                ("observation_space", "high"),
            )
            if unused and (value != "gone" or key == "dtype"):
                is_sound(data)
            else:
                refusal(data, f"metadata.json: {space}")
            (data / "metadata.json").write_text(text)


@pytest.mark.parametrize(
    "key, wrong, message",
    [
        (
            "action_space",
            {"type": "Discrete", "dtype": "int64", "start": 0, "n": 2},
            " must be a Box, got a Discrete: agents that learn from a dataset take "
            "continuous actions; choose a dataset with continuous actions",
        ),
        (
            "observation_space",
            {"type": "Dict", "subspaces": {}},
            " must be a Box, got a Dict: collect the dataset again from the "
            "environment within gymnasium's FlattenObservation, and learn for that "
            "environment",
        ),
        (
            "observation_space",
            {"type": "Text", "max_length": 3},
            " must be a Box, got a Text: choose a dataset whose observations are "
            "vectors of numbers",
        ),
        (
            "action_space",
            {"type": "Tuple", "subspaces": []},
            " must be a Box, got a Tuple: write the dataset again with each action as "
            "one vector",
        ),
        (
            "observation_space",
            {"type": "Box", "shape": [9, 7, 3], "low": 0, "high": 5},
            " has shape (9, 7, 3), the environment's (11,): these look like images, "
            "and agents that learn from a dataset take vectors: choose another dataset",
        ),
        (
            "action_space",
            {"type": "Box", "shape": [3], "low": [-1, -np.inf, -1], "high": [1] * 3},
            ": actions must have finite bounds, low below high, got -inf and 1.0 for "
            "number 1 of an action: write the bounds of the environment's own actions "
            "into low and high",
        ),
        (
            "action_space",
            {"type": "Box", "shape": [3], "low": [1] * 3, "high": [1] * 3},
            ": actions must have finite bounds, low below high, got 1.0 and 1.0 for "
            "number 0 of an action: write",
        ),
    ],
)
def test_spaces_that_agents_cannot_learn_from_are_refused(data, key, wrong, message):
    change_metadata(data, lambda plain: plain.update({key: json.dumps(wrong)}))
    assert f"metadata.json: {key}{message}" in refusal(data)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "\0", '{"a": nan'])
def test_metadata_that_are_no_json_object_are_refused(data, text):
    (data / "metadata.json").write_text(text)
    assert "must be JSON" in refusal(data) or "must be a JSON object" in refusal(data)


def test_metadata_that_are_no_text_are_refused(data):
    (data / "metadata.json").write_bytes(b"\xff\xfe")
    assert "cannot read" in refusal(data, "metadata.json")


@pytest.mark.parametrize("name", ["main_data.hdf5", "metadata.json"])
def test_a_missing_file_is_named(data, name):
    (data / name).unlink()
    assert refusal(data).endswith(
        f"has no {name}; get the dataset again, or correct the file"
    )


def test_a_dataset_stored_in_another_format_is_refused(data):
    change_metadata(data, lambda plain: plain.update(data_format="arrow"))
    assert refusal(data).endswith(
        "data_format must be hdf5, got 'arrow': write the dataset again with Minari's "
        "data_format='hdf5'"
    )


def test_the_layout_of_minari_04_is_named_and_its_advice_is_right(data):
    plain = json.loads((data / "metadata.json").read_text())
    keys = ("total_episodes", "total_steps", "observation_space", "action_space")
    with h5py.File(data / "main_data.hdf5", "a") as file:
        file.attrs.update({key: plain[key] for key in (*keys, "env_spec")})
    (data / "metadata.json").unlink()
    assert refusal(data).endswith(
        "has no metadata.json: it has the older layout of Minari 0.4; get the dataset "
        "again with `minari download`, or write total_episodes, total_steps, "
        "observation_space, action_space and env_spec, which are attributes of "
        "main_data.hdf5, into metadata.json, with data_format hdf5"
    )
    with h5py.File(data / "main_data.hdf5") as file:
        told = {"data_format": "hdf5", "env_spec": file.attrs["env_spec"]}
        told |= {key: file.attrs[key] for key in keys}
    for key in keys[:2]:
        told[key] = int(told[key])
    (data / "metadata.json").write_text(json.dumps(told))
    is_sound(data)


@pytest.mark.parametrize(
    "key, change, found",
    [
        ("total_episodes", 1, "holds 3 episodes, but total_episodes of metadata.json "),
        (
            "total_episodes",
            -1,
            "holds 3 episodes, but total_episodes of metadata.json ",
        ),
        ("total_steps", 1, "holds 8 steps, but total_steps of metadata.json is 9; get"),
        ("total_steps", -1, "holds 8 steps, but total_steps of metadata.json is 7; ge"),
    ],
)
def test_fewer_or_more_than_the_metadata_tell_is_refused(data, key, change, found):
    change_metadata(data, lambda plain: plain.update({key: plain[key] + change}))
    assert found in refusal(data)


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
    note = f"{data.parent}: left out 1 of 3 episodes: episode_2; the first because of "
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

    is_sound(changed(change))


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
        f"{data.parent}: left out 1 of 3 episodes: episode_2; the first because of "
        "episode_2/observations must have one row more than the 4 of rewards, got 4; "
        "get the dataset again, or correct the file",
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

    is_sound(changed(change))


def test_an_environment_that_is_not_recorded_or_not_ours_is_told(data):
    change_metadata(data, lambda plain: plain.pop("env_spec"))
    assert read(data).notes == (
        f"{data.parent}: env_spec is missing, so it is unknown whether the dataset is "
        "from Hopper and which rewards it pays",
    )
    spec = json.dumps({"id": "my/Thing-v7"})
    change_metadata(data, lambda plain: plain.update(env_spec=spec))
    refusal(data, "env_spec is my/Thing-v7, the environment is Hopper: choose the")
    suite = load(str(data.parent), SPEC, ControlSuite("hopper-hop"))
    assert "env_spec is my/Thing-v7, which has no counterpart" in suite.notes[0]
