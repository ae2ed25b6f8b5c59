"""How well a bonus separates a dataset's actions from others: numbers, whole runs."""

import csv

import numpy as np
import pytest

from agents.parts.contract import Transition
from experiments.tables import bonus_separation
from launch.runs import run_directory
from tests.launch import pendulum_dataset
from tests.launch.local_runs import run_local
from tests.launch.small_experiments import pendulum


def test_auc_counts_ordered_pairs_and_half_of_ties():
    # Of the six pairs 1 < 2, 1 < 3, 2 < 3 and 1 < 5 are in order; 2 = 2 is half.
    low, high = np.array([1.0, 2.0, 4.0]), np.array([2.0, 3.0])
    assert bonus_separation.auc(low, high) == pytest.approx(3.5 / 6)
    assert bonus_separation.auc(low, low + 10) == 1.0
    assert bonus_separation.auc(low + 10, low) == 0.0


def test_a_measure_that_knows_the_behaviour_policy_separates():
    random, rows = np.random.default_rng(0), 700
    observation = random.uniform(-1, 1, (rows, 2)).astype(np.float32)
    near = observation + 0.05 * random.normal(size=(rows, 2)).astype(np.float32)
    ones = np.ones(rows, np.float32)
    transitions = Transition(observation, near, ones, ones, observation)
    seen = []

    def measure(observation, action, rows):
        seen.append(rows)
        return np.linalg.norm(action - observation, axis=-1)

    found = bonus_separation.separate(measure, transitions)
    assert found.dataset < 0.1 < found.shuffled < 1.5 and found.uniform > 0.5
    assert found.auc > 0.98
    assert all(len(np.unique(each)) == rows for each in seen)


def test_actions_at_their_bounds_are_farther_from_one_another_than_from_uniform_ones():
    # |a| = 1 in two dimensions: (a - a')^2 is 0 or 4, in the mean of both 2 half of the
    # time; E (a - u)^2 = 1 + 1/3, at most 4.
    random, rows = np.random.default_rng(3), 901
    action = np.sign(random.normal(size=(rows, 2))).astype(np.float32)
    ones = np.ones(rows, np.float32)
    transitions = Transition(action, action, ones, ones, action)
    found = bonus_separation.separate(lambda *_: ones, transitions)
    assert found.shuffled_alone == 2.0 and found.auc == 0.5
    assert 1.0 < found.uniform_alone < 4 / 3


@pytest.mark.parametrize(
    "name, neighbours",
    [
        ("ploff", 1),
        pytest.param("ploff", 4, marks=pytest.mark.slow),
        pytest.param("anti_exploration", 4, marks=pytest.mark.slow),
    ],
)
def test_a_run_is_measured_with_its_first_stage(name, neighbours, tmp_path, capsys):
    path = str(pendulum_dataset.write(tmp_path / "pendulum.hdf5", 90))
    changes = {"evaluation.period": 2, "agent.neighbours": neighbours}
    wanted = pendulum(name, path, steps=2, **changes)
    directory = run_directory.create(tmp_path, wanted)
    run_local(wanted, directory)
    table = tmp_path / "table.csv"
    assert bonus_separation.main([str(directory), str(table)]) == 0
    with table.open(newline="") as file:
        [row] = csv.DictReader(file)
    assert row["experiment"] == f"{name}/hopper-medium"
    assert 0 < float(row["dataset"]) and 0 <= float(row["auc"]) <= 1
    config = run_directory.read_config(directory)
    for field in ("command", "code", "machine", "started"):
        assert row[field] == str(config[field])


def test_mistakes_are_one_line(tmp_path, capsys):
    assert bonus_separation.main([str(tmp_path)]) == 2
    assert bonus_separation.main([str(tmp_path), str(tmp_path / "table.csv")]) == 2
    assert (
        bonus_separation.main([str(tmp_path), str(tmp_path / "none" / "table.csv")])
        == 2
    )
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == bonus_separation.USAGE and "not a run directory" in lines[1]
    assert "cannot write" in lines[2] and len(lines) == 3
