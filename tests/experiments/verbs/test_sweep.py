"""Sweeps with runs replaced by lines of evaluations: what runs, what is written."""

import csv

import pytest
from PIL import Image

from experiments import cli
from experiments.verbs import sweep_results
from launch import run
from tests.experiments.verbs.replaced_training import ReplacedTraining

NAME = "mdqn/catch"
LINE = f"sweep {NAME} --launch threads --agent.temperature 0.5,0.25 --steps 110"


def cell(experiment):
    return experiment.agent.temperature, experiment.agent.munchausen, experiment.seed


def worth(experiment):
    """The return that a run gets: best at temperature 0.25 and munchausen 1."""
    agent = experiment.agent
    return 8 * agent.munchausen - 16 * agent.temperature + experiment.seed


@pytest.fixture
def launched(tmp_path, monkeypatch):
    """Replaces training, in an empty directory."""
    training = ReplacedTraining(cell, worth)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run, "run_experiment", training)
    return training


@pytest.fixture
def undrawn(monkeypatch):
    """Replaces each picture by an empty file: drawing takes a second."""
    monkeypatch.setattr(sweep_results, "write_picture", lambda path, *_: path.touch())


def sweep(*more):
    return cli.main([*LINE.split(), *more])


def rows(folder, pattern="runs/mdqn/catch/sweep-*.csv"):
    with max(folder.glob(pattern)).open(newline="") as file:
        return list(csv.DictReader(file))


def test_seed_0_of_each_cell_runs_first_and_a_table_shows_the_cells(
    launched, tmp_path, capsys
):
    assert sweep("--agent.munchausen", "0:1:0.5", "--seeds", "2") == 0
    cells = [(temperature, m) for temperature in (0.5, 0.25) for m in (0, 0.5, 1)]
    assert launched.ran == [(*cell, seed) for seed in (0, 1) for cell in cells]
    out = capsys.readouterr().out.splitlines()
    assert out[:2] == ["6 cells, 12 runs", "12 runs: 12 to start"]
    assert out[2].startswith("runs/mdqn/catch/seed0-")
    assert out[2].endswith("  temperature 0.5, munchausen 0")
    assert out[14:22] == [
        "temperature  munchausen  return  lowest  highest  seeds",
        "0.5          0           -7.5    -8      -7       2 of 2",
        "0.5          0.5         -3.5    -4      -3       2 of 2",
        "0.5          1           0.5     0       1        2 of 2",
        "0.25         0           -3.5    -4      -3       2 of 2",
        "0.25         0.5         0.5     0       1        2 of 2",
        "0.25         1           4.5     4       5        2 of 2  best",
        "return: mean return of the last evaluation, averaged over complete seeds",
    ]
    table, picture = out[22:]
    assert table.endswith(".csv") and picture == table.replace(".csv", ".png")
    written = rows(tmp_path)
    assert len(written) == 12
    assert {**written[11], "directory": ""} == {
        "agent.temperature": "0.25",
        "agent.munchausen": "1.0",
        "seed": "1",
        "state": "complete",
        "return": "5",
        "experiment": NAME,
        "directory": "",
    }
    with Image.open(tmp_path / picture) as image:
        assert image.format == "PNG"


def test_the_same_command_keeps_what_is_complete_and_larger_grids_reuse_it(
    launched, undrawn, capsys
):
    assert sweep() == 0
    assert sweep() == 0 and len(launched.ran) == 2
    assert "2 runs: 0 to start, 2 complete" in capsys.readouterr().out
    del launched.ran[:]
    assert sweep("--agent.munchausen", "0,0.9", "--seeds", "2") == 0
    default = 0.9  # in cells that the first two sweeps ran with seed 0
    assert launched.ran == [
        (0.5, 0.0, 0),
        (0.25, 0.0, 0),
        (0.5, 0.0, 1),
        (0.5, default, 1),
        (0.25, 0.0, 1),
        (0.25, default, 1),
    ]


def test_a_dry_run_lists_the_cells_and_starts_nothing(launched, tmp_path, capsys):
    assert sweep("--dry_run", "true", "--seeds", "3") == 0
    assert capsys.readouterr().out.splitlines() == [
        "2 cells, 6 runs",
        "temperature 0.5",
        "temperature 0.25",
    ]
    assert launched.ran == [] and list(tmp_path.iterdir()) == []


def test_the_table_lies_next_to_the_runs_of_a_renamed_environment(
    launched, undrawn, tmp_path
):
    line = (
        "sweep mdqn/gymnasium --environment.id MountainCar-v0 --launch threads "
        "--agent.temperature 0.5,0.25 --agent.munchausen 0.5 --steps 110"
    )
    assert cli.main(line.split()) == 0
    [table] = tmp_path.glob("runs/*/*/sweep-*.csv")
    assert table.parent.name == "mountaincar-v0"
    assert {path.parent for path in tmp_path.glob("runs/*/*/seed0-*")} == {table.parent}


def test_a_table_that_cannot_be_written_is_one_line(
    launched, undrawn, tmp_path, capsys
):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/mdqn").write_text("a file in the place of a folder")
    assert cli.main([*LINE.split(), "--only_results", "true"]) == 2
    [error] = capsys.readouterr().err.splitlines()
    assert error.startswith("munchausen: cannot write runs/mdqn/catch/sweep-")


def test_an_output_that_cannot_be_written_is_refused_first(launched, capsys):
    assert sweep("--output", "nowhere/table.csv") == 2
    assert "there is no directory nowhere" in capsys.readouterr().err
    assert launched.ran == []


def test_help_explains_the_syntax_and_lists_the_fields(capsys):
    assert cli.main(["sweep", NAME, "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: munchausen sweep <experiment>")
    for said in ("64,64;128,128", "0:1:0.1", "--optuna N", "--agent.temperature", NAME):
        assert said in out
    assert "munchausen train <experiment> [--<field>" not in out
