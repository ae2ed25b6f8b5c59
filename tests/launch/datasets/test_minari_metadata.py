"""Minari datasets whose metadata are broken: one line with file, key and remedy.

Every key of a sound dataset is deleted and replaced in turn. A dataset is refused, or
the key has no effect: then the same transitions are read.
"""

import json

import h5py
import numpy as np
import pytest

from environments import ControlSuite
from launch.datasets.load import load
from tests.launch.datasets.hopper_minari import SPEC, check_sound, read, refusal

# Keys of metadata.json without which a dataset is refused. The others only describe.
NEEDED = (
    *("total_episodes", "total_steps", "data_format"),
    *("observation_space", "action_space"),
)
# Keys that may be missing, but not be wrong.
CHECKED = (*NEEDED, "env_spec", "ref_min_score", "ref_max_score")
WRONG = [None, True, "", "{", "[]", "{}", '{"type": 3}', [], {}]


@pytest.fixture
def data(hopper_minari):
    """The data directory of a sound dataset."""
    return hopper_minari / "data"


def change_metadata(data, change):
    file = data / "metadata.json"
    plain = json.loads(file.read_text())
    change(plain)
    file.write_text(json.dumps(plain))


def test_the_dataset_itself_is_read(data):
    check_sound(data)
    known = json.loads((data / "metadata.json").read_text()).keys()
    assert set(CHECKED) <= known


def test_each_missing_key_of_the_metadata_is_named(data):
    text = (data / "metadata.json").read_text()
    for key in json.loads(text):
        change_metadata(data, lambda plain, key=key: plain.pop(key))
        if key in NEEDED:
            assert f"metadata.json has no {key}; get the dataset" in refusal(data)
        else:
            check_sound(data)
        (data / "metadata.json").write_text(text)


def test_each_wrong_value_of_the_metadata_is_named(data):
    text = (data / "metadata.json").read_text()
    for key in json.loads(text):
        for value in WRONG if key in CHECKED else WRONG[:2]:
            absent = value is None and key not in NEEDED
            change_metadata(data, lambda plain, k=key, v=value: plain.update({k: v}))
            if key in CHECKED and not absent:
                refusal(data, "metadata.json", key)
            else:
                check_sound(data)
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
                check_sound(data)
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
    check_sound(data)


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
