"""Odd and broken files of D4RL's layout: read, mended if told to, or refused."""

import h5py
import numpy as np
import pytest

from launch.datasets import d4rl_layout
from launch.datasets.load import load
from launch.datasets.source_environment import Native
from launch.errors import DatasetError
from launch.experiment import DatasetReading
from tests.launch.datasets.d4rl_files import SPEC, seen, three_episodes
from tests.launch.datasets.random_data import spec_of

SOUND = [(0, 1), (1, 2), (3, 4), (4, 5), (5, 6), (6, 7), (7, 8)]


@pytest.mark.parametrize("key", ["rewards", "terminals", "timeouts"])
@pytest.mark.parametrize("dtype", [bool, "u1", ">i4", "f4", ">f8"])
def test_columns_of_any_type_and_of_shape_one_are_read(written_hdf5, key, dtype):
    data = three_episodes()
    data["rewards"] = data["rewards"] % 2
    wanted = data["rewards"][[0, 1, 3, 4, 5, 6, 7]].tolist()
    data[key] = data[key].astype(dtype)[:, None]
    dataset = d4rl_layout.read(written_hdf5(data), SPEC, Native())
    assert [row[:2] for row in seen(dataset)] == SOUND
    assert dataset.transitions.reward.tolist() == wanted


def test_columns_without_an_axis_are_read_for_spaces_of_one_number(written_hdf5):
    data = three_episodes()
    data["observations"] = data["observations"][:, 0]
    data["actions"] = data["actions"][:, 0]
    spec = spec_of(observation=1, action=1)
    dataset = d4rl_layout.read(written_hdf5(data), spec, Native())
    assert [row[:2] for row in seen(dataset)] == SOUND
    assert dataset.transitions.action.shape == (7, 1)


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


SKIP = DatasetReading(skip_bad_episodes=True)


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(
    "key, row, value, left, named",
    [
        (
            "rewards",
            1,
            np.nan,
            [3, 4, 5, 6, 7],
            "rows 0 to 2; the first because of rew",
        ),
        ("observations", 3, np.inf, [0, 1, 5, 6, 7], "rows 3 to 4; the first because"),
        (
            "observations",
            5,
            np.nan,
            [0, 1, 3, 4],
            "rows 5 to 8; the first because of o",
        ),
        ("actions", 8, -1.5, [0, 1, 3, 4], "rows 5 to 8; the first because of actions"),
        ("observations", 8, np.nan, [0, 1, 3, 4], "rows 5 to 8; the first because of"),
    ],
)
def test_bad_episodes_are_left_out(written_hdf5, known, key, row, value, left, named):
    data = three_episodes()
    if known:
        data["next_observations"] = data["observations"] + 1
        data["next_observations"][8] += 7
        data["next_observations"][2] += 7
        cuts = [cut for start, cut in ((0, 2), (5, 8)) if start in left]
        left = sorted([*left, *cuts])
    data[key][row] = value
    path = written_hdf5(data)
    with pytest.raises(DatasetError, match=f"{key}, row {row}.*skip_bad_episodes true"):
        d4rl_layout.read(path, SPEC, Native())
    dataset = d4rl_layout.read(path, SPEC, Native(), SKIP)
    assert dataset.transitions.observation[:, 0].tolist() == left
    assert np.isfinite(dataset.transitions.next_observation).all()
    assert dataset.ends[-1]
    [note] = dataset.notes
    assert f"data.hdf5: left out 1 of 3 episodes: {named}" in note


def test_if_all_episodes_are_bad_the_file_is_refused(written_hdf5):
    data = three_episodes()
    data["rewards"][[0, 4, 6]] = np.nan
    with pytest.raises(
        DatasetError, match=r"all 3 episodes are bad, .*: rewards, row 0"
    ):
        d4rl_layout.read(written_hdf5(data), SPEC, Native(), SKIP)


def test_actions_out_of_bounds_are_clipped_if_told_to(written_hdf5):
    data = three_episodes()
    data["actions"][3] = [1.5, -1.25]
    reading = DatasetReading(clip_actions=True, skip_bad_episodes=True)
    dataset = d4rl_layout.read(written_hdf5(data), SPEC, Native(), reading)
    assert dataset.transitions.action[2].tolist() == [1, -1]
    [note] = dataset.notes
    assert (
        "actions of 1 of 9 rows were out of bounds and are clipped; the farth" in note
    )
    assert "was 0.5 beyond" in note


@pytest.mark.parametrize("scale", [1e6, 1e30, 0])
def test_rewards_of_any_finite_size_are_read(written_hdf5, scale):
    data = three_episodes()
    data["rewards"] = data["rewards"].astype(np.float64) * scale
    dataset = d4rl_layout.read(written_hdf5(data), SPEC, Native())
    np.testing.assert_allclose(dataset.transitions.reward[0], 10 * scale, rtol=1e-6)
    data["rewards"] = data["rewards"] + 1e39
    with pytest.raises(
        DatasetError, match=r"row 0: .* in float32, got 1.*e\+39 \(9 of 9"
    ):
        d4rl_layout.read(written_hdf5(data), SPEC, Native())


def test_dones_are_not_guessed_to_be_terminals(written_hdf5):
    data = three_episodes()
    data["dones"] = data.pop("terminals")
    with pytest.raises(
        DatasetError, match="name dones terminals if it is 1 only where"
    ):
        d4rl_layout.read(written_hdf5(data), SPEC, Native())
