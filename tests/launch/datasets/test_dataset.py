"""The checks on steps that are common to all file formats."""

import numpy as np
import pytest

from environments.action_scaling import Canonical
from launch.datasets.dataset import Steps, canonical_actions, check, flags, to_dataset
from launch.errors import DatasetError
from tests.launch.datasets.random_data import spec_of

SPEC = spec_of(observation=1, action=1)
KEYS = {field: field.upper() for field in Steps._fields}


def steps(**changes):
    """Four steps: the first two are an episode that terminates, the rest is cut."""
    made = Steps(
        observations=np.arange(4)[:, None],
        actions=np.array([[-1], [0], [1], [0.5]]),
        rewards=np.array([1, 2, 3, 4]),
        terminals=np.array([0, 1, 0, 0]),
        timeouts=np.array([0, 0, 0, 1]),
        next_observations=np.array([1, 7, 3, 8])[:, None],
    )
    return made._replace(**changes)


def checked(made, **options):
    return check(made, SPEC, source="file", keys=KEYS, **options)


def test_sound_steps_have_the_types_of_a_dataset():
    made = checked(steps())
    assert [column.dtype for column in made[:3]] == [np.float32] * 3
    assert made.terminals.dtype == made.timeouts.dtype == bool
    kept = np.array([True, True, False, True])
    dataset = to_dataset("file", made, kept, made.terminals | made.timeouts)
    assert dataset.size == 3
    assert dataset.transitions.discount.tolist() == [1, 0, 1]
    assert dataset.transitions.reward.tolist() == [1, 2, 4]
    assert dataset.transitions.next_observation[:, 0].tolist() == [1, 7, 8]
    assert dataset.ends.tolist() == [False, True, True]


def test_a_dataset_without_kept_steps_is_refused():
    with pytest.raises(DatasetError, match="file holds no whole transition"):
        to_dataset("file", checked(steps()), np.zeros(4, bool), np.zeros(4, bool))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"rewards": np.array(["a"] * 4)}, "file: REWARDS must hold numbers, got <U1"),
        ({"rewards": np.zeros(3)}, "file: REWARDS has 3 rows, the observations have 4"),
        ({"actions": np.zeros((4, 2))}, r"ACTIONS has rows of shape \(2,\).*\(1,\)"),
        ({"terminals": np.array([0, 2, 0, 0])}, "row 1: a flag must be 0 or 1, got 2"),
        ({"observations": np.full((4, 1), 1e39)}, r"row 0: .*inf \(4 of 4 rows"),
        (
            {"next_observations": np.array([1, 7, 4, 8])[:, None]},
            "NEXT_OBSERVATIONS, row 2: must be the observation of row 3",
        ),
    ],
)
def test_errors_name_column_and_row(changes, message):
    with pytest.raises(DatasetError, match=message):
        checked(steps(**changes))


def test_flags_must_have_one_axis():
    with pytest.raises(DatasetError, match=r"shape \(4,\), got \(4, 1\)"):
        flags("here", np.zeros((4, 1)), 4)


def test_actions_are_scaled_from_their_bounds_with_a_tolerance_for_rounding():
    box = Canonical(np.array([-2.0, 0.0]), np.array([2.0, 10.0]))
    actions = np.array([[-2, 0], [0, 10], [1, 2.5]], np.float32)
    scaled = canonical_actions("here", actions, box)
    assert scaled.tolist() == [[-1, -1], [0, 1], [0.5, -0.5]]
    rounded = canonical_actions("here", np.array([[1 + 5e-7]]), None)
    assert rounded.tolist() == [[1]]
    with pytest.raises(DatasetError, match=r"row 1: \[1.1\] is out of \[-1, 1\] \(1"):
        canonical_actions("here", np.array([[0], [1.1], [0]]), None)
