"""Names of the zoo stand for its policies; a directory of the same name comes first."""

import csv

import numpy as np
import pytest

from launch.errors import RunDirectoryError
from launch.policies import saved_policy, zoo
from launch.policies.evaluate import evaluate_run

LARGEST = 2_000_000  # bytes of one policy


@pytest.fixture
def rows():
    with zoo.TABLE.open(newline="") as file:
        return {row["policy"]: row for row in csv.DictReader(file)}


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_policy_is_small_and_has_a_row_that_tells_how_it_was_made(rows):
    assert zoo.names() == sorted(rows)
    for name, row in rows.items():
        files = [path for path in zoo.find(name).rglob("*") if path.is_file()]
        assert {path.name for path in files} == {"config.yaml", "policy.npz"}
        assert sum(path.stat().st_size for path in files) < LARGEST
        assert row["command"].startswith(f"munchausen train {row['experiment']}")
        assert len(row["code"]) == 40 and row["started"] and row["machine"]


@pytest.mark.parametrize("name", zoo.names())
def test_a_policy_plays_as_its_row_says(name, rows, elsewhere):
    # Not seed 0, whose first episode may be an end of the row's range: XLA rounds the
    # actions of one environment otherwise than those of the row's twenty.
    [found] = evaluate_run(zoo.find(name), episodes=1, seed=1).returns
    row = rows[name]
    assert float(row["lowest_return"]) <= found <= float(row["highest_return"])


def test_a_policy_is_loaded_by_its_name(elsewhere):
    policy = saved_policy.load_policy("zoo/mdqn-cartpole")
    left, right = [0, 0, -0.2, -1], [0, 0, 0.2, 1]  # where the pole falls to
    assert policy(np.array([left, right, left])).tolist() == [0, 1, 0]


def test_an_unknown_name_is_refused_with_the_names_of_the_zoo(elsewhere):
    known = ", ".join(zoo.names())
    with pytest.raises(RunDirectoryError, match=rf"^zoo/x is neither .* zoo: {known}$"):
        zoo.find("zoo/x")
    with pytest.raises(RunDirectoryError, match=r"^zoos/x is not a directory$"):
        zoo.find("zoos/x")
    with pytest.raises(RunDirectoryError, match=r"^zoo/\.\./trained is neither"):
        zoo.find("zoo/../trained")


def test_a_directory_of_the_same_name_comes_first(elsewhere):
    own = elsewhere / "zoo/mdqn-catch"
    own.mkdir(parents=True)
    assert zoo.find("zoo/mdqn-catch").resolve() == own
    assert not zoo.is_in_zoo("zoo/mdqn-catch")


def test_a_copy_of_a_policy_is_refused_as_well(elsewhere):
    (elsewhere / "policy.npz").touch()
    with pytest.raises(RunDirectoryError, match=r"^cannot resume .*: it holds"):
        zoo.refuse(elsewhere, "resume")
