"""Datasets of all formats are loaded by path or id."""

import contextlib
import io

import gymnasium
import jax
import numpy as np
import pytest

from environments import Adroit, Locomotion
from launch.datasets import minari_writing
from launch.datasets.load import load, load_prepared
from launch.datasets.source_environment import Native
from launch.errors import DatasetError
from tests.launch.datasets.d4rl_files import SPEC, columns
from tests.launch.datasets.minari_datasets import TEXT
from tests.launch.datasets.random_data import episodes, spec_of
from tests.launch.small_experiments import pendulum


def test_actions_in_an_hdf5_file_are_scaled_from_the_environments_bounds(written_hdf5):
    data = columns(4) | {"observations": np.zeros((4, 4)), "actions": np.ones((4, 1))}
    data["actions"][:3, 0] = [-3, 0, 1.5]
    data["timeouts"][3] = True
    spec = spec_of(observation=4, action=1)
    path = str(written_hdf5(data))
    action = load(path, spec, Locomotion("InvertedPendulum-v5")).transitions.action
    assert action[:, 0].tolist() == [-1, 0, 0.5]
    with pytest.raises(DatasetError, match=r"actions, row 0: \[-3\] is out of \[-1, 1"):
        load(path, spec)


def test_the_environment_gives_episode_length_and_reference_returns(written_hdf5):
    rows = 250  # door's episodes have 200 steps
    data = columns(rows) | {"observations": np.zeros((rows, 39))}
    del data["timeouts"]
    data["actions"] = np.zeros((rows, 28))
    spec = spec_of(observation=39, action=28)
    dataset = load(str(written_hdf5(data)), spec, Adroit("door"))
    assert dataset.size == 199 + 49
    assert np.flatnonzero(dataset.ends).tolist() == [198, 247]
    assert dataset.reference == (-56.512833, 2880.5693087298737)


def prepared_bytes(path, *, normalize):
    """A dataset of an environment whose observations are uint8."""
    small = pendulum(
        "bc", str(path), **{"preparation.normalize_observations": normalize}
    )
    spec = spec_of(observation=4, action=1)
    spec = spec._replace(observation=jax.ShapeDtypeStruct((4,), np.dtype(np.uint8)))
    return load_prepared(small, spec).transitions


def test_observations_have_the_type_that_the_policy_sees(written_hdf5):
    """Networks divide uint8 by 255, in learning as in acting."""
    seen = np.arange(12.0).reshape(3, 4) * 23  # to 253
    data = columns(3) | {"observations": seen, "actions": np.zeros((3, 1))}
    data["timeouts"][2] = True
    path = written_hdf5(data)
    raw = prepared_bytes(path, normalize=False)
    assert raw.observation.dtype == raw.next_observation.dtype == np.uint8
    assert raw.next_observation.tolist() == seen[1:].tolist()
    assert prepared_bytes(path, normalize=True).observation.dtype == np.float32
    data["observations"] = seen + 0.5
    with pytest.raises(DatasetError) as refused:
        prepared_bytes(written_hdf5(data), normalize=False)
    assert str(refused.value).endswith(
        ": observation of transition 0 must be uint8, as the environment's are, got "
        "0.5; correct the file, or add --preparation.normalize_observations true"
    )


def test_d4rls_data_of_the_hand_are_found_by_their_id(minari_root):
    """Demonstrations of people may be longer than the 100 steps of our episodes."""
    spec, made = spec_of(observation=45, action=24), Native("AdroitHandPen-v1")
    logged = episodes([103, 7], observation=45, action=24)
    bounds = np.full(24, -1, np.float32), np.full(24, 1, np.float32)
    made = made._replace(low=bounds[0], high=bounds[1])
    with contextlib.redirect_stderr(io.StringIO()):
        import gymnasium_robotics
    gymnasium.register_envs(gymnasium_robotics)
    minari_writing.write("D4RL/pen/human-v2", logged, made, TEXT)
    dataset = load("D4RL/pen/human-v2", spec, Adroit("pen"))
    assert np.flatnonzero(dataset.ends).tolist() == [102, 109]
    [note] = dataset.notes
    assert "episodes last 200 steps" in note
    assert "normalised scores use D4RL's, 96.2628 to 3076.83" in note


def test_a_file_that_is_not_hdf5_is_refused(tmp_path, written_hdf5):
    (tmp_path / "text.h5").write_text("no data")
    with pytest.raises(DatasetError, match=r"cannot read .*text.h5 as HDF5"):
        load(str(tmp_path / "text.h5"), SPEC)
    with pytest.raises(DatasetError, match=r"gone.hdf5: no such file"):
        load(str(tmp_path / "gone.hdf5"), SPEC)
    minari = written_hdf5({"episode_0/rewards": np.zeros(3)})
    with pytest.raises(DatasetError, match="Minari dataset; name the directory"):
        load(str(minari), SPEC)


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "a/../" * 900])
def test_names_that_no_file_can_have_are_refused(name):
    for suffix in ("", ".hdf5"):
        with pytest.raises(DatasetError, match=r"no dataset |no such file"):
            load(name + suffix, SPEC)
