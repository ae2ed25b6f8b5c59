"""Columns of any shape and type that can only mean one thing are read."""

import numpy as np
import pytest

from environments.action_scaling import Canonical
from launch.datasets.columns import Actions, flags, numbers
from launch.errors import DatasetError


@pytest.mark.parametrize("dtype", [">f8", "<f4", "f2", ">i4", "u1"])
def test_numbers_of_any_type_become_float32(dtype):
    read = numbers("here", np.array([[3, 1], [2, 7]], dtype), 2, (2,))
    assert read.dtype == np.dtype("=f4") and read.tolist() == [[3, 1], [2, 7]]


@pytest.mark.parametrize(
    "given, wanted",
    [((3, 1), ()), ((3,), (1,)), ((3, 1, 2), (2,)), ((3, 2), (1, 2)), ((3,), ())],
)
def test_axes_of_length_one_may_be_missing_or_added(given, wanted):
    column = np.arange(np.prod(given)).reshape(given)
    read = numbers("here", column, 3, wanted)
    assert read.shape == (3, *wanted)
    assert read.reshape(-1).tolist() == column.reshape(-1).tolist()


@pytest.mark.parametrize("given", [(3, 2), (3, 2, 1), (3, 1, 2)])
def test_other_shapes_are_refused_with_both_shapes(given):
    with pytest.raises(DatasetError) as error:
        numbers("file: rewards", np.zeros(given), 3, ())
    assert str(error.value) == (
        f"file: rewards has shape {given}, the environment needs (3,): choose the "
        "environment that the dataset is from"
    )


@pytest.mark.parametrize("dtype", [bool, "u1", "i8", "f4", ">f8"])
@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_flags_of_any_type_are_read(dtype, shape):
    read = flags("here", np.array([0, 1, 1, 0], dtype).reshape(shape), 4)
    assert read.dtype == bool and read.tolist() == [False, True, True, False]


@pytest.mark.parametrize(
    "column, message",
    [
        (np.array([0, 1, -1]), "file: done, row 2: a flag must be 0 or 1, got -1"),
        (np.array([[0], [0.5], [1]]), "row 1: a flag must be 0 or 1, got 0.5"),
        (np.array([np.nan, 0, 1]), "row 0: a flag must be 0 or 1, got nan"),
        (np.array(["True"] * 3), "file: done must hold flags, 0 or 1, got <U4"),
        (np.zeros((3, 2)), r"file: done has shape \(3, 2\), .*each row: \(3,\)"),
        (np.zeros(2), "file: done has 2 rows, the observations have 3"),
        (np.float32(1), "file: done has no rows, the observations have 3"),
    ],
)
def test_other_flags_are_refused_with_row_and_value(column, message):
    with pytest.raises(DatasetError, match=message):
        flags("file: done", column, 3)


def test_actions_are_scaled_from_their_bounds_with_a_tolerance_for_rounding():
    box = Canonical(np.array([-2.0, 0.0]), np.array([2.0, 10.0]))
    actions = np.array([[-2, 0], [0, 10], [1, 2.5]], np.float32)
    scaled = Actions(box).read("here", actions)
    assert scaled.tolist() == [[-1, -1], [0, 1], [0.5, -0.5]]
    rounded = Actions().read("here", np.array([[1 + 5e-7]]))
    assert rounded.tolist() == [[1]]


def test_actions_at_any_bounds_in_float32_are_inside():
    """Far from 0, float32 rounds a bound by more than the usual tolerance."""
    random = np.random.default_rng(3)
    for _ in range(200):
        low = random.uniform(-50, 50, 3).astype(np.float32)
        high = low + random.uniform(0.1, 20, 3).astype(np.float32)
        box = Canonical(low, high)
        played = [box.native(np.full(3, sign, np.float32)) for sign in (-1, 1)]
        scaled = Actions(box).read("here", np.array([low, high, *played]))
        np.testing.assert_allclose(
            scaled, np.array([[-1], [1]] * 2) * np.ones(3), atol=2e-4
        )
    with pytest.raises(DatasetError, match="is out of its bounds"):
        Actions(box).read("here", high[None] + np.float32(0.01))


def test_actions_out_of_bounds_are_refused_with_the_flag_that_clips_them():
    actions = Actions()
    with pytest.raises(DatasetError) as error:
        actions.read("file: actions", np.array([[0], [1.1], [0]]))
    assert str(error.value) == (
        "file: actions, row 1: [1.1] is out of [-1, 1] (1 of 3 rows are): clip such "
        "actions with --dataset.clip_actions true, or leave such episodes out with "
        "--dataset.skip_bad_episodes true"
    )


def test_clipped_actions_are_counted_and_measured_over_all_parts():
    actions = Actions(Canonical(np.array([-2.0]), np.array([2.0])), clip=True)
    assert actions.read("a", np.array([[0], [3.0], [-2]])).tolist() == [[0], [1], [-1]]
    assert actions.notes("set") == [
        "set: actions of 1 of 3 rows were out of bounds and are clipped; the farthest "
        "was 0.5 beyond, with bounds scaled to [-1, 1]"
    ]
    actions.read("b", np.array([[-2.5]]))
    assert actions.notes("set")[0].startswith("set: actions of 2 of 4 rows")
    assert Actions(clip=True).notes("set") == []
