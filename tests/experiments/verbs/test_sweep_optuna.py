"""Cells that Optuna chooses, for runs that are replaced by a line of evaluations."""

import csv

import pytest

from experiments import cli
from experiments.verbs import sweep_arguments, sweep_results
from launch import errors, run
from launch.errors import RunFailed
from launch.runs import logs

pytest.importorskip("optuna")

NAME = "mdqn/catch"
SPACE = "--agent.temperature 0.01:1:log --agent.loss huber,squared"
LINE = f"sweep {NAME} --launch threads --steps 100 --seeds 2 {SPACE}"


@pytest.fixture
def launched(tmp_path, monkeypatch):
    """Replaces training; lists the runs, and raises what `launch.ends` has for them."""
    ran, ends = [], {}

    def launch(experiment, directory, *_, **__):
        ran.append((experiment.agent.temperature, experiment.agent.loss))
        if len(ran) in ends:
            raise ends.pop(len(ran))
        worth = -((experiment.agent.temperature - 0.1) ** 2)
        log = logs.EvaluationLog(directory)
        log.write(100, logs.Counts(100), [worth + experiment.seed], [7])
        log.close()

    launch.ran, launch.ends = ran, ends
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run, "run_experiment", launch)
    monkeypatch.setattr(sweep_results, "write_picture", lambda path, *_: path.touch())
    return launch


def search(count, *more):
    return cli.main([*LINE.split(), "--optuna", str(count), *more])


def rows(tmp_path):
    with (tmp_path / "table.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_each_trial_runs_all_seeds_with_values_from_its_ranges(
    launched, tmp_path, capsys
):
    assert search(5, "--output", "table.csv") == 0
    assert len(launched.ran) == 10 and launched.ran[::2] == launched.ran[1::2]
    assert len(set(launched.ran)) == 5
    assert all(0.01 <= temperature <= 1 for temperature, _ in launched.ran)
    assert {loss for _, loss in launched.ran} == {"huber", "squared"}
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "5 trials, 10 runs"
    assert "  trial 0: temperature " in out[1]
    found = [(row["agent.temperature"], row["agent.loss"]) for row in rows(tmp_path)]
    assert found == [(str(temperature), loss) for temperature, loss in launched.ran]
    nearest = min(launched.ran, key=lambda each: abs(each[0] - 0.1))
    [best] = [line for line in out if line.endswith("best")]
    assert best.split()[:2] == [f"{nearest[0]:.4g}", nearest[1]]


def test_a_search_continues_and_chooses_what_one_long_search_chooses(launched):
    assert search(12, "--runs", "whole") == 0
    whole = launched.ran[:]
    del launched.ran[:]
    launched.ends[4] = errors.RunStopped("stopped", 15)
    assert search(3) == 128 + 15
    assert search(3) == 0  # the second run of the second trial is resumed
    assert search(12) == 0
    assert launched.ran == [*whole[:4], *whole[3:]]
    assert search(12) == 0 and len(launched.ran) == 25


def test_other_seeds_of_the_sampler_choose_other_cells(launched):
    line = f"sweep {NAME} --launch threads --steps 100 --optuna 2 {SPACE}".split()
    assert cli.main([*line, "--seed", "3"]) == cli.main([*line, "--seed", "4"]) == 0
    assert len(set(launched.ran)) == 4


def test_a_failed_trial_is_named_and_tried_again_next_time(launched, capsys):
    launched.ends[3] = RunFailed("the disk burns")
    assert search(3) == 1
    error = capsys.readouterr().err.splitlines()
    temperature, loss = launched.ran[2]
    cell = f"temperature {temperature:.4g}, loss {loss}"
    assert error == [
        f"mdqn/catch seed 0 (trial 1: {cell}) failed: the disk burns",
        f"trial 1 failed: a run of cell {cell} has no return",
        "munchausen: 1 of 3 trials failed: 1",
    ]
    assert len(launched.ran) == 6
    assert search(3) == 0
    assert launched.ran[6:] == [(temperature, loss)]
    assert search(3) == 0 and len(launched.ran) == 7


def test_trials_of_the_same_cell_share_their_runs(launched):
    line = f"sweep {NAME} --launch threads --steps 100 --agent.loss huber,squared"
    assert cli.main([*line.split(), "--optuna", "9"]) == 0
    assert len(launched.ran) == len(set(launched.ran)) == 2


def test_both_ends_of_a_range_are_checked_before_anything_starts(
    launched, tmp_path, capsys
):
    assert search(3, "--agent.munchausen", "0.5:1.5") == 2
    error = capsys.readouterr().err
    assert "munchausen 1.5: --agent.munchausen must be between 0 and 1" in error
    assert list(tmp_path.iterdir()) == []


def test_a_study_that_is_damaged_is_refused_in_one_line(launched, tmp_path, capsys):
    assert search(1) == 0
    [journal] = tmp_path.glob("runs/mdqn/catch/optuna-*/journal.log")
    journal.write_text("no journal\nat all\n")
    capsys.readouterr()
    assert search(2) == 2
    error = capsys.readouterr().err
    assert error.startswith("munchausen: cannot read runs/mdqn/catch/optuna-")
    assert error.count("\n") == 1


def test_the_line_is_understood_without_optuna(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert search(3) == 2
    assert capsys.readouterr().err == (
        "munchausen: --optuna needs Optuna: install it with `make optuna`, or with "
        "`pip install 'munchausen[optuna]'`\n"
    )
    swept = sweep_arguments.read([*LINE.split()[1:], "--optuna", "3"]).swept
    assert swept["agent.temperature"].log and swept["agent.loss"] == (
        "huber",
        "squared",
    )
