"""What IQ's value foresees of its policy's returns and falls: numbers, whole runs."""

import csv

import dm_env
import numpy as np
import pytest

from experiments.tables import foresight
from experiments.tables.foresight import Episode


def test_discounted_returns_by_hand():
    found = foresight.discounted(np.array([1.0, 0.0, 4.0]), 8.0, 0.5)
    np.testing.assert_allclose(found, [3.0, 4.0, 8.0])


def test_rows_count_from_the_start_and_only_falls_from_the_end(monkeypatch):
    monkeypatch.setattr(foresight, "AHEAD", 2)
    fall = Episode(np.array([9.0, 5.0, 1.0]), np.array([1.0, 2.0, 6.0]), 0.0, True)
    whole = Episode(np.array([7.0]), np.array([3.0]), 10.0, False)
    rows = list(foresight.rows([fall, whole], 0.5))
    assert [(row["counted_from"], row["step"], row["episodes"]) for row in rows] == [
        ("start", 0, 2),
        ("end", 2, 1),
        ("end", 0, 1),
    ]
    numbers = [
        [float(row[name]) for name in ("value", "discounted_return", "reward")]
        for row in rows
    ]
    # From the start: 1 + 2/2 + 6/4 = 3.5, and 3 + 10/2 = 8.
    np.testing.assert_allclose(
        numbers, [[8.0, 5.75, 2.25], [9.0, 3.5, 1.5], [1.0, 6.0, 6.0]]
    )


class Ends:
    """Episodes of two steps; every second one terminates."""

    def __init__(self):
        self.step_of, self.episode = 0, 0

    def reset(self):
        self.step_of = 0
        return self.timestep(dm_env.StepType.FIRST, 0.0, 1.0)

    def timestep(self, kind, reward, discount):
        seen = np.array([[10.0 * self.episode + self.step_of]])
        return dm_env.TimeStep(
            np.array([int(kind)]), np.array([reward]), np.array([discount]), seen
        )

    def step(self, action):
        if self.step_of == 2:
            self.episode += 1
            return self.reset()
        self.step_of += 1
        if self.step_of == 1:
            return self.timestep(dm_env.StepType.MID, 3.0, 1.0)
        return self.timestep(dm_env.StepType.LAST, 5.0, float(self.episode % 2))


class Still:
    def select_action(self, observation):
        return np.zeros((1, 1))


def test_played_episodes_have_the_values_of_the_states_before_each_step():
    played = foresight.play(Ends(), Still(), lambda seen: 2 * seen[:, 0])
    first, second = next(played), next(played)
    np.testing.assert_array_equal(first.values, [0.0, 2.0])
    np.testing.assert_array_equal(second.values, [20.0, 22.0])
    np.testing.assert_array_equal(second.rewards, [3.0, 5.0])
    assert (first.last, first.terminated) == (0.0, True)
    assert (second.last, second.terminated) == (24.0, False)


def test_a_policy_of_iq_is_measured(tmp_path, capsys, monkeypatch):
    """Its value is within a tenth of what follows; that of random weights is not."""
    monkeypatch.setattr(foresight, "EPISODES", 1)
    monkeypatch.setattr(foresight, "FROM_START", (0, 150))
    table = tmp_path / "table.csv"
    assert foresight.main(["zoo/iq-hopper", str(table)]) == 0
    with table.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["counted_from"] == "start"]
    assert [row["step"] for row in rows] == ["0", "150"]
    for row in rows:
        value, following = float(row["value"]), float(row["discounted_return"])
        assert value == pytest.approx(following, rel=0.1) and value > 200
        assert row["policy"] == "zoo/iq-hopper"
        assert "train iq/hopper" in row["command"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["table.csv"], "usage: "),
        (["zoo/iq-hopper"], "usage: "),
        (["zoo/mdqn-catch", "table.csv"], "foresight: the agent must be iq, "),
        (["nowhere", "table.csv"], "foresight: nowhere is not a directory"),
    ],
)
def test_mistakes_are_one_line(arguments, said, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert foresight.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(said) and error.count("\n") == 1
    assert not list(tmp_path.iterdir())
