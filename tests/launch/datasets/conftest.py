"""Dataset files, and random transitions."""

import shutil

import h5py
import pytest

from tests.launch.datasets import hopper_minari as hopper
from tests.launch.datasets import minari_datasets, random_data


@pytest.fixture
def transitions():
    """Eleven transitions, observations of three numbers, actions of two."""
    return random_data.transitions()


@pytest.fixture
def written_hdf5(tmp_path):
    """Writes columns to an HDF5 file and returns its path."""

    def write(data, name="data.hdf5"):
        with h5py.File(tmp_path / name, "w") as file:
            for key, column in data.items():
                file[key] = column
        return tmp_path / name

    return write


@pytest.fixture(autouse=True)
def minari_root(tmp_path, monkeypatch):
    """Minari's datasets directory, inside the test's directory."""
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    return tmp_path / "minari"


@pytest.fixture
def written_minari(minari_root):
    """The directory of a dataset of three episodes."""
    return minari_datasets.write()


@pytest.fixture(scope="session")
def _hopper_minari(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINARI_DATASETS_PATH", str(tmp_path_factory.mktemp("sound")))
        return hopper.write()


@pytest.fixture
def hopper_minari(_hopper_minari, tmp_path):
    """The directory of a copy of the dataset of `hopper_minari.write`."""
    return shutil.copytree(_hopper_minari, tmp_path / "copy")
