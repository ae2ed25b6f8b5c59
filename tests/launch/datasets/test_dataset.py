"""The checks on steps that are common to all file formats."""

import numpy as np
import pytest

from launch.datasets.columns import Actions
from launch.datasets.dataset import Steps, check, left_out, to_dataset
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


def checked(made):
    return check(made, SPEC, source="file", keys=KEYS, actions=Actions())


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
    with pytest.raises(
        DatasetError, match="file must hold at least one transition with a next"
    ):
        to_dataset("file", checked(steps()), np.zeros(4, bool), np.zeros(4, bool))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"rewards": np.array(["a"] * 4)}, "file: REWARDS must hold numbers, got <U1"),
        ({"rewards": np.zeros(3)}, "file: REWARDS has 3 rows, the observations have 4"),
        ({"actions": np.zeros((4, 2))}, r"ACTIONS has shape \(4, 2\),.*\(4, 1\)"),
        ({"terminals": np.array([0, 2, 0, 0])}, "row 1: a flag must be 0 or 1, got 2"),
        ({"observations": np.full((4, 1), 1e39)}, r"row 0: .*got 1e\+39 \(4 of 4 row"),
        ({"actions": np.full((4, 1), -1.5)}, r"ACTIONS, row 0: \[-1.5\] is out of"),
    ],
)
def test_errors_name_column_and_row(changes, message):
    with pytest.raises(DatasetError, match=message):
        checked(steps(**changes))


def test_a_line_names_bad_episodes_and_none_left_is_an_error():
    names = [f"episode_{number}" for number in range(23)]
    line = left_out("file", names, 99, "rewards, row 7")
    assert line.startswith("file: left out 23 of 99 episodes: episode_0, episode_1,")
    assert line.endswith("episode_19 and 3 more; the first: rewards, row 7")
    assert left_out("f", ["a"], 3, "b") == (
        "f: left out 1 of 3 episodes: a; the first: b"
    )
    with pytest.raises(DatasetError, match=r"f: all 1 episodes are bad, .*: b"):
        left_out("f", ["a"], 1, "b")
