"""`munchausen list`."""

import pytest

from experiments import cli
from experiments.names import EXPERIMENTS, FIGURES


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Runs go to an empty directory, and nothing is ever started."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_list_shows_an_overview_that_fits_a_screen(capsys):
    assert cli.main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 80 and max(map(len, lines)) <= 100
    assert "  Catch                 catch" in lines


def test_list_all_shows_every_experiment(capsys):
    assert cli.main(["list", "--all"]) == 0
    tables = capsys.readouterr().out.split("\n\n")
    rows = tables[0].splitlines()[1:]
    assert [row.split()[0] for row in rows] == list(EXPERIMENTS)
    assert all(EXPERIMENTS[row.split()[0]].description in row for row in rows)
    figures = [row.split()[:3] for row in tables[1].splitlines()[1:]]
    assert figures == [
        [figure.name, str(len(figure.experiments)), str(figure.seeds)]
        for figure in FIGURES.values()
    ]


def test_list_shows_one_line_for_each_suite(capsys):
    assert cli.main(["list", "suite", "57"]) == 0
    [row] = capsys.readouterr().out.splitlines()[1:]
    assert row.split()[:3] == ["suite/atari-57_<agent>", "57", "5"]


def test_list_filters_by_words(capsys):
    assert cli.main(["list", "mdqn/", "cart"]) == 0
    rows = capsys.readouterr().out.splitlines()[1:]
    assert [row.split()[0] for row in rows] == ["mdqn/cartpole", "dvw_mdqn/cartpole"]
