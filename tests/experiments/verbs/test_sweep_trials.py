"""Trials of a study: what they run, and how a search continues."""

import csv

import pytest

from experiments import cli
from experiments.verbs import sweep_results
from launch import errors, run
from launch.errors import RunFailed
from tests.experiments.verbs.replaced_training import ReplacedTraining

optuna = pytest.importorskip("optuna")

NAME = "mdqn/catch"
SPACE = "--agent.temperature 0.01:1:log --agent.loss huber,squared"
LINE = f"sweep {NAME} --launch threads --steps 110 --seeds 2 {SPACE}"


@pytest.fixture
def launched(tmp_path, monkeypatch):
    """Replaces training and drawing, in an empty directory."""
    training = ReplacedTraining(
        lambda experiment: (experiment.agent.temperature, experiment.agent.loss),
        lambda experiment: experiment.seed - (experiment.agent.temperature - 0.1) ** 2,
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run, "run_experiment", training)
    monkeypatch.setattr(sweep_results, "write_picture", lambda path, *_: path.touch())
    return training


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
    line = f"sweep {NAME} --launch threads --steps 110 {SPACE} --optuna".split()
    # Optuna's first ten trials are random; the eleventh depends on all of them.
    assert cli.main([*line, "11", "--runs", "whole"]) == 0
    whole = launched.ran[:]
    del launched.ran[:]
    launched.ends[4] = errors.RunStopped("stopped", 15)
    assert cli.main([*line, "5"]) == 75
    assert cli.main([*line, "5"]) == 0  # resumes the fourth trial
    assert cli.main([*line, "11"]) == 0
    assert launched.ran == [*whole[:4], *whole[3:]]
    assert cli.main([*line, "11"]) == 0 and len(launched.ran) == 12


def test_other_seeds_of_the_sampler_choose_other_cells(launched):
    line = f"sweep {NAME} --launch threads --steps 110 --optuna 2 {SPACE}".split()
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


def test_what_a_killed_search_left_behind_is_ended_or_run(launched, tmp_path):
    assert search(1) == 0
    [journal] = tmp_path.glob("runs/mdqn/catch/optuna-*/journal.log")
    backend = optuna.storages.journal.JournalFileBackend(str(journal))
    storage = optuna.storages.JournalStorage(backend)
    study = optuna.load_study(study_name="sweep", storage=storage)
    study.ask()  # killed before the values were chosen
    killed = {"agent.temperature": 0.75, "agent.loss": "huber"}
    study.enqueue_trial(killed)  # killed before the trial began
    study.add_trial(
        optuna.trial.create_trial(
            state=optuna.trial.TrialState.FAIL,
            params=killed,
            distributions=study.trials[0].distributions,
        )
    )
    assert search(3) == 0
    assert launched.ran[2:4] == [(0.75, "huber")] * 2
    assert len(launched.ran) == 6 and len(set(launched.ran)) == 3


def test_trials_of_the_same_cell_share_their_runs(launched):
    line = f"sweep {NAME} --launch threads --steps 110 --agent.loss huber,squared"
    assert cli.main([*line.split(), "--optuna", "9"]) == 0
    assert len(launched.ran) == len(set(launched.ran)) == 2
