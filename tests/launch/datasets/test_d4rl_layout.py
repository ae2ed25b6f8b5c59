"""Files of D4RL's layout: the transitions they hold, and errors in them."""

import h5py
import numpy as np
import pytest

from launch.datasets import d4rl_layout
from launch.datasets.load import load
from launch.datasets.source_environment import Native
from launch.errors import DatasetError
from launch.experiment import DatasetReading
from tests.launch.datasets.d4rl_files import SPEC, columns
from tests.launch.datasets.random_data import spec_of

LIMIT = Native(episode_steps=3, exact=True)


def seen(dataset):
    """Each transition as (row, row of next observation, discount, end of record)."""
    step = dataset.transitions
    return list(
        zip(
            step.observation[:, 0].astype(int).tolist(),
            step.next_observation[:, 0].astype(int).tolist(),
            step.discount.astype(int).tolist(),
            dataset.ends.tolist(),
            strict=True,
        )
    )


def test_a_timeout_is_dropped_if_its_next_observation_is_unknown(written_hdf5):
    data = columns()
    data["terminals"][1] = data["timeouts"][4] = True
    dataset = d4rl_layout.read(written_hdf5(data), SPEC, Native())
    assert seen(dataset) == [
        (0, 1, 1, False),
        (1, 2, 0, True),  # terminated: kept, whatever the next observation
        (2, 3, 1, False),
        (3, 4, 1, True),  # row 4 is dropped: its next observation is unknown
        (5, 6, 1, True),  # and so is row 6
    ]
    assert dataset.transitions.reward.tolist() == [10, 11, 12, 13, 15]
    assert [leaf.dtype for leaf in dataset.transitions[:5]] == [np.float32] * 5
    np.testing.assert_array_equal(
        dataset.transitions.action, data["actions"][[0, 1, 2, 3, 5]]
    )


def test_a_timeout_is_kept_if_the_file_has_next_observations(written_hdf5):
    data = columns(4)
    data["timeouts"][1] = data["timeouts"][3] = True
    data["next_observations"] = data["observations"] + 1
    data["next_observations"][1] = 77
    assert seen(d4rl_layout.read(written_hdf5(data), SPEC, Native())) == [
        (0, 1, 1, False),
        (1, 77, 1, True),
        (2, 3, 1, False),
        (3, 4, 1, True),
    ]


def test_a_termination_at_the_last_row_is_kept(written_hdf5):
    data = columns(3)
    data["terminals"][2] = data["timeouts"][2] = True  # both: it counts as terminated
    assert seen(d4rl_layout.read(written_hdf5(data), SPEC, Native())) == [
        (0, 1, 1, False),
        (1, 2, 1, False),
        (2, 2, 0, True),
    ]


def test_without_timeouts_episodes_end_at_the_environments_limit(written_hdf5):
    data = columns(9)
    del data["timeouts"]
    data["terminals"][1] = True  # rows 2-4 and 5-7 last three steps, then 8
    assert seen(d4rl_layout.read(written_hdf5(data), SPEC, LIMIT)) == [
        (0, 1, 1, False),
        (1, 2, 0, True),
        (2, 3, 1, False),
        (3, 4, 1, True),
        (5, 6, 1, False),
        (6, 7, 1, True),
    ]


def test_a_termination_at_the_limit_does_not_count_as_a_timeout(written_hdf5):
    data = columns(4)
    del data["timeouts"]
    data["terminals"][2] = True
    assert (2, 3, 0, True) in seen(d4rl_layout.read(written_hdf5(data), SPEC, LIMIT))


def test_demonstrations_may_be_longer_than_the_environments_limit(written_hdf5):
    data = columns()
    data["timeouts"][6] = True
    slow = Native(episode_steps=3)
    assert len(seen(d4rl_layout.read(written_hdf5(data), SPEC, slow))) == 6


def change(key, row, value):
    def broken(data):
        data[key][row] = value

    return broken


def without(key):
    return lambda data: data.pop(key)


def replaced(key, column):
    return lambda data: data.update({key: column})


@pytest.mark.parametrize(
    "broken, message",
    [
        (without("rewards"), "has no rewards, .*observations"),
        (
            replaced("rewards", np.zeros((7, 2))),
            r"rewards has shape \(7, 2\), .*\(7,\)",
        ),
        (replaced("actions", np.zeros((7, 3))), r"actions .*\(7, 3\).*\(7, 2\)"),
        (
            replaced("observations", np.zeros((7, 4))),
            r"observations .*\(7, 4\).*\(7, 5\)",
        ),
        (replaced("terminals", np.zeros(6)), "terminals has 6 rows, .* have 7"),
        (replaced("rewards", np.zeros(8)), "rewards has 8 rows, .* have 7"),
        (replaced("rewards", np.float32(3)), "rewards has no rows, .* have 7"),
        (replaced("observations", np.zeros((0, 5))), "observations has no rows"),
        (replaced("rewards", [b"a"] * 7), "rewards must hold numbers"),
        (change("observations", (3, 2), np.nan), "observations, row 3: .*nan .1 of 7"),
        (change("rewards", 5, np.inf), "rewards, row 5: .*inf"),
        (change("actions", 4, np.nan), "actions, row 4: .*nan"),
        (change("actions", (2, 1), 1.01), r"actions, row 2: \[.*1.01\] is out of "),
        (replaced("terminals", np.arange(7)), "terminals, row 2: a flag .* got 2"),
        (replaced("timeouts", np.full(7, 0.5)), "timeouts, row 0: a flag .* got 0.5"),
        (change("timeouts", 1, 0), "timeouts, row 6: no row is marked"),
    ],
)
def test_errors_name_file_key_and_row(written_hdf5, broken, message):
    data = columns()
    data["timeouts"][1] = True
    broken(data)
    with pytest.raises(DatasetError, match=f"data.hdf5.*{message}") as error:
        d4rl_layout.read(written_hdf5(data), SPEC, Native())
    assert "\n" not in str(error.value)


def test_rounding_beyond_a_bound_is_clipped(written_hdf5):
    data = columns()
    data["timeouts"][6] = True
    data["actions"] = data["actions"].astype(np.float64)
    data["actions"][0] = -1 - 9e-7
    action = d4rl_layout.read(written_hdf5(data), SPEC, Native()).transitions.action
    assert action.min() == -1 and action.dtype == np.float32
    data["actions"][0] = -1 - 2e-6
    with pytest.raises(DatasetError, match="actions, row 0"):
        d4rl_layout.read(written_hdf5(data), SPEC, Native())


def plain():
    """Nine rows: episodes of 3, 2 and 4 rows, the second terminates."""
    data = columns(9)
    data["timeouts"][[2, 8]] = data["terminals"][4] = True
    return data


SOUND = [(0, 1), (1, 2), (3, 4), (4, 5), (5, 6), (6, 7), (7, 8)]


@pytest.mark.parametrize("key", ["rewards", "terminals", "timeouts"])
@pytest.mark.parametrize("dtype", [bool, "u1", ">i4", "f4", ">f8"])
def test_columns_of_any_type_and_of_shape_one_are_read(written_hdf5, key, dtype):
    data = plain()
    data["rewards"] = data["rewards"] % 2
    wanted = data["rewards"][[0, 1, 3, 4, 5, 6, 7]].tolist()
    data[key] = data[key].astype(dtype)[:, None]
    dataset = d4rl_layout.read(written_hdf5(data), SPEC, Native())
    assert [row[:2] for row in seen(dataset)] == SOUND
    assert dataset.transitions.reward.tolist() == wanted


def test_columns_without_an_axis_are_read_for_spaces_of_one_number(written_hdf5):
    data = plain()
    data["observations"] = data["observations"][:, 0]
    data["actions"] = data["actions"][:, 0]
    spec = spec_of(observation=1, action=1)
    dataset = d4rl_layout.read(written_hdf5(data), spec, Native())
    assert [row[:2] for row in seen(dataset)] == SOUND
    assert dataset.transitions.action.shape == (7, 1)


def test_compressed_columns_attributes_and_other_names_are_no_hindrance(tmp_path):
    path = tmp_path / "my data ü.HDF5"
    with h5py.File(path, "w") as file:
        for key, column in plain().items():
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
        write(file, **plain(), extra=np.zeros(2))
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
    np.savez(path, **(plain() | {"rewards": np.array([None] * 9)}))
    with pytest.raises(DatasetError, match=r"npz: rewards cannot be read: Object arr"):
        load(str(path), SPEC)


def test_other_suffixes_are_refused_with_a_way_to_convert(tmp_path):
    (tmp_path / "data.pkl").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"in .hdf5, .h5 or .npz, got .*savez"):
        load(str(tmp_path / "data.pkl"), SPEC)


@pytest.mark.parametrize("key", plain())
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
        for name, column in plain().items():
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
    path = written_hdf5(plain())
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
    data = plain()
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
    data = plain()
    data["rewards"][[0, 4, 6]] = np.nan
    with pytest.raises(
        DatasetError, match=r"all 3 episodes are bad, .*: rewards, row 0"
    ):
        d4rl_layout.read(written_hdf5(data), SPEC, Native(), SKIP)


def test_actions_out_of_bounds_are_clipped_if_told_to(written_hdf5):
    data = plain()
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
    data = plain()
    data["rewards"] = data["rewards"].astype(np.float64) * scale
    dataset = d4rl_layout.read(written_hdf5(data), SPEC, Native())
    np.testing.assert_allclose(dataset.transitions.reward[0], 10 * scale, rtol=1e-6)
    data["rewards"] = data["rewards"] + 1e39
    with pytest.raises(
        DatasetError, match=r"row 0: .* in float32, got 1.*e\+39 \(9 of 9"
    ):
        d4rl_layout.read(written_hdf5(data), SPEC, Native())


def test_dones_are_not_guessed_to_be_terminals(written_hdf5):
    data = plain()
    data["dones"] = data.pop("terminals")
    with pytest.raises(
        DatasetError, match="name dones terminals if it is 1 only where"
    ):
        d4rl_layout.read(written_hdf5(data), SPEC, Native())
