"""HDF5 and npz files: whatever is wrong with one is told in one line."""

import h5py
import numpy as np
import pytest

from launch.datasets import d4rl_layout
from launch.datasets.load import load
from launch.datasets.source_environment import Native
from launch.errors import DatasetError
from tests.launch.datasets.d4rl_files import SOUND, SPEC, seen, three_episodes


def test_compressed_columns_attributes_and_other_names_are_no_hindrance(tmp_path):
    path = tmp_path / "my data ü.HDF5"
    with h5py.File(path, "w") as file:
        for key, column in three_episodes().items():
            file.create_dataset(key, data=column, compression="gzip", chunks=True)
            file[key].attrs["unit"] = "ü"
        file.attrs["made"] = "by hand"
        file["infos/qpos"] = np.zeros((9, 2))
        file["metadata/algorithm"] = "sac"
        file["metadata/broken"] = h5py.SoftLink("/gone")
    dataset = load(str(path), SPEC)
    assert [row[:2] for row in seen(dataset)] == SOUND and dataset.notes == ()


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_npz_files_are_read(tmp_path, write):
    path = tmp_path / "data.NPZ"
    with path.open("wb") as file:
        write(file, **three_episodes(), extra=np.zeros(2))
    assert [row[:2] for row in seen(load(str(path), SPEC))] == SOUND


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "cannot read .*data.npz as npz: it is not what num"),
        (b"PK\x03\x04broken", "cannot read .*data.npz as npz: .*; get the dataset"),
        (b"text", "cannot read .*data.npz as npz: .*; get the dataset again"),
    ],
)
def test_broken_npz_files_are_refused(tmp_path, content, message):
    (tmp_path / "data.npz").write_bytes(content)
    with pytest.raises(DatasetError, match=message) as error:
        load(str(tmp_path / "data.npz"), SPEC)
    assert "\n" not in str(error.value)


def test_damaged_npz_files_never_end_in_a_traceback(tmp_path):
    path, draw = tmp_path / "data.npz", np.random.default_rng(3)
    np.savez_compressed(path, **three_episodes())
    content, refused = path.read_bytes(), 0
    for _ in range(60):
        start = int(draw.integers(len(content) - 16))
        path.write_bytes(content[:start] + draw.bytes(16) + content[start + 16 :])
        try:
            load(str(path), SPEC)
        except DatasetError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 30


def test_npz_files_of_objects_are_refused(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, **(three_episodes() | {"rewards": np.array([None] * 9)}))
    with pytest.raises(DatasetError, match=r"npz: rewards cannot be read: Object arr"):
        load(str(path), SPEC)


def test_other_suffixes_are_refused_with_a_way_to_convert(tmp_path):
    (tmp_path / "data.pkl").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"in .hdf5, .h5 or .npz, got .*savez"):
        load(str(tmp_path / "data.pkl"), SPEC)


@pytest.mark.parametrize("key", three_episodes())
@pytest.mark.parametrize(
    "wrong",
    [
        None,
        {"goal": [1.0, 2.0]},
        h5py.SoftLink("/gone"),
        h5py.ExternalLink("gone.hdf5", "/gone"),
        h5py.Empty("f"),
        np.zeros(0),
        np.full(9, np.nan),
        np.zeros((9, 2, 2)),
        np.zeros(99),
        np.array([b"a"] * 9),
        np.array([1j] * 9),
    ],
    ids=str,
)
def test_each_column_that_is_missing_or_wrong_is_named(tmp_path, key, wrong):
    path = tmp_path / "data.hdf5"
    with h5py.File(path, "w") as file:
        for name, column in three_episodes().items():
            if name != key:
                file[name] = column
            elif isinstance(wrong, dict):
                file.create_group(name).update(wrong)
            elif wrong is not None:
                file[name] = wrong
    with pytest.raises(DatasetError, match=f"data.hdf5.*{key}") as error:
        d4rl_layout.read(path, SPEC, Native())
    message = str(error.value)
    assert "\n" not in message
    if key == "observations" and np.shape(wrong) == (99,):
        return  # the other columns seem too short
    assert any(
        word in message for word in ("correct", "add", "requires", "write", "ch")
    )


def test_a_file_cut_short_or_damaged_never_ends_in_a_traceback(written_hdf5):
    path = written_hdf5(three_episodes())
    content, draw = path.read_bytes(), np.random.default_rng(7)
    for size in [0, 9, *range(100, len(content), len(content) // 9)]:
        path.write_bytes(content[:size])
        with pytest.raises(DatasetError, match=r"cannot read .* as HDF5"):
            d4rl_layout.read(path, SPEC, Native())
    for _ in range(40):
        start = int(draw.integers(len(content) - 64))
        path.write_bytes(content[:start] + draw.bytes(64) + content[start + 64 :])
        try:
            d4rl_layout.read(path, SPEC, Native())
        except DatasetError as error:
            assert "\n" not in str(error)


def test_dones_are_not_guessed_to_be_terminals(written_hdf5):
    data = three_episodes()
    data["dones"] = data.pop("terminals")
    with pytest.raises(
        DatasetError, match="name dones terminals if it is 1 only where"
    ):
        d4rl_layout.read(written_hdf5(data), SPEC, Native())
