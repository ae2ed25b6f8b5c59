"""Files of D4RL's layout: the transitions they hold, and errors in them."""

import numpy as np
import pytest

from launch.datasets import d4rl_layout
from launch.datasets.source_environment import Native
from launch.errors import DatasetError
from tests.launch.datasets.d4rl_files import SPEC, columns, seen

LIMIT = Native(episode_steps=3, exact=True)


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
