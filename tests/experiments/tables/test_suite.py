"""Aggregates of committed tables, whose runs are gone."""

import csv

import pytest

from experiments.reporting import bootstrap, formats
from experiments.tables import suite

HEAD = ("experiment", "seed", "grid", "mean_return", "command")


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Asterix, whose scale begins at .55 and ends at 19.8."""
    monkeypatch.setattr(bootstrap, "REPETITIONS", 100)
    path = tmp_path / "table.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEAD)
        for agent, seed, grid, value in (
            ("dqn", 0, 300, "0.55"),
            ("dqn", 0, 200, "7"),
            ("dqn", 0, 400, ""),  # no episode ended
            ("mdqn", 0, 300, "19.8"),
            ("mdqn", 1, 300, "39.05"),
        ):
            command = f"munchausen train suite/minatar-5_{agent} --seeds 2"
            name = f"{agent}/minatar-asterix"
            writer.writerow((name, seed, grid, value, command))
    return str(path)


def test_aggregates_by_hand(table, capsys):
    assert suite.main(["minatar-5", table]) == 0
    printed = capsys.readouterr()
    assert printed.err == f"suite: {table}: left out 1 row without a finite return\n"
    text = " ".join(printed.out.split())
    for part in (
        "Suite minatar-5: runs of 1 of 5 tasks",
        "minatar-freeway: no run",
        f"minatar-asterix, 300 actor steps dqn 1 0.550 {formats.NONE} 0",
        "minatar-asterix, 300 actor steps mdqn 2 29.42 [",
        "mdqn 1.50 [1.00, 2.00]",
        "against dqn tasks above",
        "mdqn 1 of 1",
    ):
        assert part in text, part


def test_a_picture_of_them(table, tmp_path, capsys):
    picture = tmp_path / "picture.png"
    assert suite.main(["minatar-5", table, str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "usage: "),
        (["minatar-5"], "usage: "),
        (["minatar-5", "TABLE", "a.png", "b.png"], "usage: "),
        (["minatar-6", "TABLE"], "suite: "),
        (["minatar-5", "TABLE", "TABLE"], "suite: TABLE: 'munchausen train suite/"),
        (["locomotion", "TABLE"], "suite: suite locomotion needs runs of its tasks"),
        (["minatar-5", "none.csv"], "suite: [Errno 2]"),
    ],
)
def test_mistakes_are_one_line(table, arguments, said, capsys):
    given = [table if each == "TABLE" else each for each in arguments]
    assert suite.main(given) == 2
    error = capsys.readouterr().err
    assert error.startswith(said.replace("TABLE", table)) and error.count("\n") == 1
