"""Grids with runs replaced by lines of evaluations: what runs, what is written."""

import csv

import pytest

from experiments import cli, names
from experiments.catalogue.grid import Grid
from experiments.verbs import sweep_results
from launch import run
from launch.errors import RunFailed
from tests.experiments.verbs.replaced_training import ReplacedTraining

GRID = Grid(
    "toy/catch_grid",
    "temperatures and discounts of a toy",
    ("mdqn/catch", "soft_dqn/catch"),
    {
        "agent.temperature": "0.5,0.25",
        "agent.discount": "0.9,0.8",
        "seeds": "1",
        "steps": "100",
        "launch": "threads",
    },
)


def described(experiment):
    return (
        experiment.agent_name,
        experiment.agent.temperature,
        experiment.agent.discount,
    )


@pytest.fixture
def launched(tmp_path, monkeypatch):
    """Replaces training, in an empty directory."""
    training = ReplacedTraining(described, lambda each: 8 * each.agent.discount)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run, "run_experiment", training)
    monkeypatch.setattr(names, "GRIDS", {**names.GRIDS, GRID.name: GRID})
    return training


@pytest.fixture
def drawn(monkeypatch):
    """Replaces each picture by its title: drawing takes a second."""
    monkeypatch.setattr(
        sweep_results,
        "write_picture",
        lambda path, sweep, results: path.write_text(sweep.name),
    )


CELLS = [
    (temperature, discount) for temperature in (0.5, 0.25) for discount in (0.9, 0.8)
]


def train(*more):
    return cli.main(["train", GRID.name, *more])


def test_each_experiment_has_its_cells_its_table_and_its_picture(
    launched, drawn, tmp_path, capsys
):
    assert train() == 0
    assert launched.ran == [
        *(("mdqn", *cell) for cell in CELLS),
        *(("soft_dqn", *cell) for cell in CELLS),
    ]
    for name in GRID.experiments:
        [table] = (tmp_path / "runs" / name).glob("sweep-*.csv")
        assert table.with_suffix(".png").read_text() == name
        with table.open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [float(row["return"]) for row in rows] == pytest.approx(
            [7.2, 6.4, 7.2, 6.4]
        )
    assert train("--agent.discount", "0.9,0.8,0.5") == 0  # keeps what is complete
    assert launched.ran[8:] == [
        (agent, temperature, 0.5)
        for agent in ("mdqn", "soft_dqn")
        for temperature in (0.5, 0.25)
    ]
    assert "4 cells, 4 runs" in capsys.readouterr().out


def test_results_are_shown_without_a_run(launched, drawn, capsys):
    launched.ends = {3: RunFailed("it ended")}
    assert train() == 1
    captured = capsys.readouterr()
    assert "mdqn/catch: 1 of 4 runs failed" in captured.err
    assert len(launched.ran) == 8  # the other experiment was swept all the same
    assert train("--only_results", "true") == 0
    out = capsys.readouterr().out
    assert len(launched.ran) == 8
    assert "without a return: temperature 0.25, discount 0.9, seed 0: cut short" in out
    assert (
        out.count("0.5          0.9       7.2     7.2     7.2      1 of 1  best") == 2
    )


@pytest.mark.parametrize(
    "more, said",
    [
        (["--output", "a.csv"], "--output names one file, and toy/catch_grid makes 2"),
        (["--seeds"], "--seeds needs a value"),
        (["--seeds", "1", "--seeds=2"], "--seeds is given twice"),
        (["dqn/catch"], "one grid at a time, got toy/catch_grid and dqn/catch"),
        (["--agent.munchausen", "0,2"], "must be between 0 and 1, got 2"),
        (["--measure", "speed"], "evaluation"),
    ],
)
def test_mistakes_are_named_before_anything_starts(
    launched, tmp_path, capsys, more, said
):
    assert train(*more) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert launched.ran == [] and list(tmp_path.iterdir()) == []


def test_a_grid_is_explained_listed_and_no_experiment_to_sweep(launched, capsys):
    assert cli.main(["train", GRID.name, "--help"]) == 0
    out = capsys.readouterr().out
    line = "mdqn/catch --agent.temperature=0.5,0.25 --agent.discount=0.9,0.8 --seeds=1"
    assert f"  munchausen sweep {line}" in out
    assert cli.main(["list", "leverage/cartpole_grid"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["grid", "sweeps", "seeds"]
    assert lines[1].split()[:3] == ["leverage/cartpole_grid", "3", "10"]
    assert cli.main(["sweep", "leverage/cartpole_grid"]) == 2
    assert "use `munchausen train leverage/cartpole_grid`" in capsys.readouterr().err
