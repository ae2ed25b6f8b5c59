"""The part under way of a computed figure is kept whole, or named if it is damaged."""

import numpy as np
import pytest

from experiments.catalogue.unfinished import Unfinished
from launch.errors import RunDirectoryError

STATE = {"count": np.int32(7), "weights": [np.ones((2, 3), np.float32), np.zeros(5)]}


@pytest.fixture
def unfinished(tmp_path):
    return Unfinished(tmp_path / "unfinished.npz")


def test_the_newest_part_comes_back(unfinished):
    assert unfinished.load("DQN", STATE) is None
    unfinished.save("DQN", [np.zeros(2)], STATE)
    newest = {"count": np.int32(8), "weights": [np.eye(2, 3), np.full(5, 0.1)]}
    unfinished.save("DQN", [np.zeros(2), np.array([0.25, 1 / 3])], newest)
    values, state = unfinished.load("DQN", STATE)
    np.testing.assert_array_equal(values, [[0, 0], [0.25, 1 / 3]])
    assert state["count"] == 8 and state["count"].dtype == np.int32
    for found, wanted in zip(state["weights"], newest["weights"], strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert [each.name for each in unfinished.path.parent.iterdir()] == [
        "unfinished.npz"
    ]


def test_another_part_is_not_taken(unfinished):
    unfinished.save("DQN", [0.5], STATE)
    assert unfinished.load("M-DQN", STATE) is None


@pytest.mark.parametrize("damage", ["short", "text", "missing"])
def test_a_damaged_file_is_named(damage, unfinished):
    unfinished.save("DQN", [0.5], STATE)
    path = unfinished.path
    if damage == "short":
        path.write_bytes(path.read_bytes()[:300])
    elif damage == "text":
        path.write_text("gaps")
    else:
        unfinished.save("DQN", [0.5], STATE["count"])
    with pytest.raises(RunDirectoryError) as caught:
        unfinished.load("DQN", STATE)
    message = str(caught.value)
    assert message.startswith(f"cannot read {path}: ") and "\n" not in message
    assert message.endswith("; remove it, and the part that it holds is computed again")
