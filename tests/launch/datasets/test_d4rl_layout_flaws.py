"""Odd and flawed columns of D4RL's layout: read, mended if told to, or refused."""

import numpy as np
import pytest

from launch.datasets import d4rl_layout
from launch.datasets.source_environment import Native
from launch.errors import DatasetError
from launch.experiment import DatasetReading
from tests.launch.datasets.d4rl_files import SOUND, SPEC, seen, three_episodes
from tests.launch.datasets.random_data import spec_of


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
            "rows 0 to 2; the first: rew",
        ),
        ("observations", 3, np.inf, [0, 1, 5, 6, 7], "rows 3 to 4; the first: obs"),
        (
            "observations",
            5,
            np.nan,
            [0, 1, 3, 4],
            "rows 5 to 8; the first: o",
        ),
        (
            "actions",
            8,
            -1.5,
            [0, 1, 3, 4],
            "rows 5 to 8; the first: actions",
        ),
        ("observations", 8, np.nan, [0, 1, 3, 4], "rows 5 to 8; the first: obs"),
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


def test_next_observations_that_nothing_needs_make_no_episode_bad(written_hdf5):
    data = three_episodes()
    data["next_observations"] = data["observations"] + 1
    data["next_observations"][4] = np.nan  # the episode terminated there
    path = written_hdf5(data)
    with pytest.raises(DatasetError, match=r"next_observations, row 4: must be finite"):
        d4rl_layout.read(path, SPEC, Native())
    dataset = d4rl_layout.read(path, SPEC, Native(), SKIP)
    step = dataset.transitions
    assert step.observation[:, 0].tolist() == [0, 1, 3, 4, 5, 6, 7, 8]
    assert step.next_observation[:, 0].tolist() == [1, 2, 4, 4, 6, 7, 8, 9]


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
