"""Sweeps whose runs are replaced by lines of evaluations: what runs, what is written."""

import csv

import pytest
from PIL import Image

from experiments import cli
from experiments.verbs import sweep_results
from launch import run
from launch.errors import RunFailed
from launch.runs import logs

NAME = "mdqn/catch"
LINE = f"sweep {NAME} --launch threads --agent.temperature 0.5,0.25 --steps 100"


def worth(experiment):
    """The return that a run gets: best at temperature 0.25 and munchausen 1."""
    agent = experiment.agent
    return 8 * agent.munchausen - 16 * agent.temperature + experiment.seed


@pytest.fixture
def launched(tmp_path, monkeypatch):
    """Replaces training; lists the runs it replaced, and fails those in `broken`."""
    ran, broken = [], []

    def launch(experiment, directory, *_, **__):
        cell = (experiment.agent.temperature, experiment.agent.munchausen)
        ran.append((*cell, experiment.seed))
        if ran[-1] in broken:
            raise RunFailed("the disk burns")
        log = logs.EvaluationLog(directory)
        for grid in (50, 100):
            value = worth(experiment) * grid / 100
            log.write(grid, logs.Counts(grid), [value - 1, value + 1], [7, 5])
        log.close()

    launch.ran, launch.broken = ran, broken
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run, "run_experiment", launch)
    return launch


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


def test_a_failed_run_ends_no_other_and_is_named_not_filled_in(
    launched, undrawn, tmp_path, capsys
):
    launched.broken.append((0.25, 0.9, 0))
    output = tmp_path / "table.csv"
    assert sweep("--seeds", "2", "--output", str(output)) == 1
    assert len(launched.ran) == 4
    captured = capsys.readouterr()
    assert captured.err.splitlines() == [
        "mdqn/catch seed 0 (temperature 0.25) failed: the disk burns",
        "munchausen: 1 of 4 runs failed: mdqn/catch seed 0 (temperature 0.25)",
    ]
    [failed] = [
        row["directory"] for row in rows(tmp_path, "table.csv") if not row["return"]
    ]
    out = captured.out.splitlines()[6:]
    assert out[1:3] == [
        "0.5          -0.3    -0.8    0.2      2 of 2  best",
        "0.25         4.2     4.2     4.2      1 of 2",
    ]
    assert out[4:] == [
        f"without a return: temperature 0.25, seed 0: cut short, {failed}",
        str(output),
        str(tmp_path / "table.png"),
    ]
    launched.broken.clear()
    assert sweep("--seeds", "2") == 0 and len(launched.ran) == 5
    assert (
        "0.25         3.7     3.2     4.2      2 of 2  best" in capsys.readouterr().out
    )


def test_without_any_return_there_is_a_table_and_no_picture(launched, tmp_path, capsys):
    launched.broken += [(0.5, 0.9, 0), (0.25, 0.9, 0)]
    assert sweep("--output", "table.csv") == 1
    out = capsys.readouterr().out
    assert "0.5          none    none    none     0 of 1" in out and "best" not in out
    assert not (tmp_path / "table.png").exists()
    assert [row["return"] for row in rows(tmp_path, "table.csv")] == ["", ""]


def test_cells_with_the_same_mean_are_all_marked(launched, undrawn, capsys):
    assert sweep("--agent.munchausen", "0,0.5", "--agent.discount", "0.9,0.8") == 0
    out = capsys.readouterr().out
    assert out.count("best") == 2


def test_a_dry_run_lists_the_cells_and_starts_nothing(launched, tmp_path, capsys):
    assert sweep("--dry_run", "true", "--seeds", "3") == 0
    assert capsys.readouterr().out.splitlines() == [
        "2 cells, 6 runs",
        "temperature 0.5",
        "temperature 0.25",
    ]
    assert launched.ran == [] and list(tmp_path.iterdir()) == []


def test_a_cell_that_does_not_fit_the_machine_is_named_first(
    launched, tmp_path, capsys
):
    assert sweep("--agent.storage.capacity", "200,1e14") == 2
    error = capsys.readouterr().err
    assert error.startswith("munchausen: cell temperature 0.5, capacity 1000")
    assert "must fit into memory" in error
    assert launched.ran == [] and list(tmp_path.iterdir()) == []


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
