"""The runs of a sweep: their order, what is refused first, and runs that fail."""

import csv

import pytest

from experiments import cli
from experiments.verbs import sweep_arguments, sweep_results, sweep_runs
from experiments.verbs.train_arguments import Options
from launch import run
from launch.errors import RunFailed
from tests.experiments.verbs.replaced_training import ReplacedTraining

NAME = "mdqn/catch"
LINE = f"sweep {NAME} --launch threads --agent.temperature 0.5,0.25 --steps 110"


@pytest.fixture
def launched(tmp_path, monkeypatch):
    """Replaces training and drawing, in an empty directory."""
    training = ReplacedTraining(
        lambda experiment: (experiment.agent.temperature, experiment.seed),
        lambda experiment: 7.2 - 16 * experiment.agent.temperature + experiment.seed,
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run, "run_experiment", training)
    monkeypatch.setattr(sweep_results, "write_picture", lambda path, *_: path.touch())
    return training


def sweep(*more):
    return cli.main([*LINE.split(), *more])


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_first_seed_of_every_cell_comes_first():
    line = f"{NAME} --agent.temperature 1,2,3 --seeds 2"
    cells = sweep_arguments.read(line.split()).cells()
    order = [(each.label[-1], rank) for each, rank in sweep_runs.seeds_in_turn(cells)]
    assert order == [(label, rank) for rank in (0, 1) for label in "123"]


def test_only_local_runs_are_at_once():
    assert sweep_runs.at_once(Options(parallel=3), 7) == 3
    assert sweep_runs.at_once(Options(parallel=3), 2) == 2
    assert sweep_runs.at_once(Options(launch="processes"), 7) == 1


def test_a_failed_run_ends_no_other_and_is_named_not_filled_in(
    launched, tmp_path, capsys
):
    launched.ends[2] = RunFailed("the disk burns")
    output = tmp_path / "table.csv"
    assert sweep("--seeds", "2", "--output", str(output)) == 1
    assert len(launched.ran) == 4
    captured = capsys.readouterr()
    assert captured.err.splitlines() == [
        "mdqn/catch seed 0 (temperature 0.25) failed: the disk burns",
        "munchausen: 1 of 4 runs failed: mdqn/catch seed 0 (temperature 0.25)",
    ]
    [failed] = [row["directory"] for row in rows(output) if not row["return"]]
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
    assert sweep("--seeds", "2") == 0 and len(launched.ran) == 5
    assert (
        "0.25         3.7     3.2     4.2      2 of 2  best" in capsys.readouterr().out
    )


def test_without_any_return_there_is_a_table_and_no_picture(launched, tmp_path, capsys):
    launched.ends |= {each: RunFailed("the disk burns") for each in (1, 2)}
    assert sweep("--output", "table.csv") == 1
    out = capsys.readouterr().out
    assert "0.5          none    none    none     0 of 1" in out and "best" not in out
    assert not (tmp_path / "table.png").exists()
    assert [row["return"] for row in rows(tmp_path / "table.csv")] == ["", ""]


def test_a_cell_that_does_not_fit_the_machine_is_named_first(
    launched, tmp_path, capsys
):
    assert sweep("--agent.storage.capacity", "200,1e14") == 2
    error = capsys.readouterr().err
    assert error.startswith("munchausen: cell temperature 0.5, capacity 1000")
    assert "must fit into memory" in error
    assert launched.ran == [] and list(tmp_path.iterdir()) == []
