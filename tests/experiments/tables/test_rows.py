"""Rows of committed tables: which are evaluations, and of which experiment."""

import pytest

from experiments.tables import rows

COMMAND = "XLA_FLAGS='--a --b' munchausen train suite/minatar-5_mdqn --steps 700"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, rows.Point(3, 20, -1.5)),
        ({"mean_return": ""}, None),
        ({"mean_return": "nan"}, None),
        ({"mean_return": None}, None),  # the row is too short
        ({"grid": "late"}, None),
    ],
)
def test_a_point_has_three_finite_numbers(changes, expected):
    row = {"seed": "3", "grid": "20", "mean_return": "-1.5"} | changes
    assert rows.point(row) == expected


def test_the_experiment_is_that_of_the_command():
    planned = rows.planned("mdqn/minatar-freeway", COMMAND)
    assert (planned.agent_name, planned.steps) == ("mdqn", 700)
    assert planned.environment.game == "freeway"


def test_directories_with_first_weights_are_not_looked_up():
    places = "--initial.policy gone/run --initial.sft=gone/too"
    command = f"munchausen train warp/preferences {places} --steps 640"
    planned = rows.planned("warp/preferences", command)
    assert planned.steps == 640


@pytest.mark.parametrize(
    ("name", "command", "said"),
    [
        ("dqn/minatar-freeway", COMMAND, "does not run dqn/minatar-freeway"),
        ("mdqn/catch", "munchausen train mdqn/catch --no 3", "does not run any more: "),
    ],
)
def test_commands_that_do_not_run_are_named(name, command, said):
    with pytest.raises(ValueError, match=said):
        rows.planned(name, command)


def test_another_table_is_refused(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("seed,grid\n1,2\n")
    assert rows.read(path) == [{"seed": "1", "grid": "2"}]
    with pytest.raises(ValueError, match="must be a table of evaluations"):
        rows.evaluations(path)
