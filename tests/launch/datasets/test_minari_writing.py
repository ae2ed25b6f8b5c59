"""Minari datasets are written so that Minari reads them, whole or not at all."""

import gymnasium
import minari
import numpy as np
import pytest

from environments import Locomotion
from launch.datasets import minari_writing, source_environment
from launch.datasets.load import load
from launch.datasets.source_environment import Native
from launch.errors import DatasetError
from tests.launch.datasets.minari_datasets import EPISODES, ID, SPEC, TEXT
from tests.launch.datasets.random_data import episodes, spec_of


def test_minari_itself_reads_it(written_minari):
    dataset = minari.load_dataset(ID)
    assert list(minari.list_local_datasets()) == [ID]
    assert (dataset.total_episodes, dataset.total_steps) == (3, 8)
    assert [episode.truncations.tolist() for episode in dataset] == [
        [False] * 3,
        [True],
        [False] * 4,
    ]
    assert "infos" in repr(next(iter(dataset)))
    assert minari.get_normalized_score(dataset, np.array(3.0)) == 0.5
    metadata = dataset.storage.metadata
    assert metadata["algorithm_name"] == "td3"
    assert metadata["code_permalink"] == "abc123"
    assert metadata["description"] == "made by hand"


def test_actions_are_native_on_disk_and_in_plus_minus_one_in_memory(minari_root):
    pendulum = source_environment.describe(Locomotion("InvertedPendulum-v5"))
    played = episodes([6], observation=4, action=1)
    minari_writing.write(ID, played, pendulum, TEXT)
    dataset = minari.load_dataset(ID)
    assert dataset.action_space == gymnasium.spaces.Box(-3, 3, (1,))
    np.testing.assert_allclose(next(iter(dataset)).actions, 3 * played[0].actions)
    environment = dataset.recover_environment()
    assert environment.spec.id == "InvertedPendulum-v5"
    environment.close()
    action = load(ID, spec_of(observation=4, action=1)).transitions.action
    np.testing.assert_allclose(action, played[0].actions, atol=1e-6)


@pytest.mark.parametrize(
    "kind, shape",
    [
        (np.uint8, (5,)),
        (np.uint8, (3, 7)),
        (np.uint8, (2, 9, 3)),
        (np.uint8, (2, 9, 7)),
        (np.uint16, (5,)),
        (bool, (5,)),
        (np.int32, (5,)),
        (np.float64, (5,)),
    ],
)
def test_observations_of_every_type_are_read_as_they_were(kind, shape, minari_root):
    """Minari alone would compress bytes as pictures, with loss."""
    draw = np.random.default_rng(3)
    [played] = episodes([6], action=2)
    seen = draw.integers(0, 2 if kind is bool else 250, (7, *shape)).astype(kind)
    minari_writing.write(ID, [played._replace(observations=seen)], Native(), TEXT)
    [read] = minari.load_dataset(ID)
    assert np.shape(read.observations) == (7, *shape)
    np.testing.assert_array_equal(np.asarray(read.observations, kind), seen)


def test_a_dataset_is_replaced_only_with_overwrite(written_minari, minari_root):
    with pytest.raises(DatasetError, match="ours/toy/three-v0 already exists"):
        minari_writing.write(ID, EPISODES[:1], Native(), TEXT)
    assert load(ID, SPEC).size == 8
    minari_writing.write(ID, EPISODES[:1], Native(), TEXT, overwrite=True)
    assert load(ID, SPEC).size == 3
    assert not list(minari_root.glob(".*"))


def test_a_failed_write_keeps_the_old_dataset_only(written_minari, minari_root):
    with pytest.raises(AttributeError):
        minari_writing.write(ID, [*EPISODES, None], Native(), TEXT, overwrite=True)
    assert load(ID, SPEC).size == 8
    assert not list(minari_root.glob(".*"))


@pytest.mark.parametrize(
    "name", ["..", "a/b", "/etc/b-v0", "a/b-v0", "../b-v0", "a b-v1"]
)
def test_an_invalid_id_is_refused(name, minari_root):
    with pytest.raises(DatasetError, match="a dataset id must be of the form"):
        minari_writing.check_free(name, overwrite=True)
