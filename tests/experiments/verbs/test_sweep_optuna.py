"""The study of a search: what is checked before it, and which commands share it."""

import pytest

from experiments import cli
from experiments.verbs import sweep_arguments, sweep_results
from launch import run
from launch.runs import lock
from tests.experiments.verbs.replaced_training import ReplacedTraining

pytest.importorskip("optuna")

NAME = "mdqn/catch"
SPACE = "--agent.temperature 0.01:1:log --agent.loss huber,squared"
LINE = f"sweep {NAME} --launch threads --steps 110 {SPACE}"


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


def test_a_search_with_other_seeds_or_ranges_is_another_study(launched, tmp_path):
    def studies():
        return len(list(tmp_path.glob("runs/mdqn/catch/optuna-*")))

    assert search(1) == search(2) == 0 and studies() == 1
    assert search(1, "--seeds", "2") == 0 and studies() == 2
    assert search(1, "--agent.munchausen", "0:1") == 0 and studies() == 3
    assert search(1, "--agent.munchausen", "0:0.5") == 0 and studies() == 4


def test_a_study_has_one_command_at_a_time(launched, tmp_path, capsys):
    assert search(1) == 0
    [folder] = tmp_path.glob("runs/mdqn/catch/optuna-*")
    with lock.locked(folder):
        assert search(2) == 2
    assert "is being written by another process" in capsys.readouterr().err
    assert len(launched.ran) == 1


def test_a_dry_run_of_a_search_starts_nothing(launched, tmp_path, capsys):
    assert search(7, "--seeds", "3", "--dry_run", "true") == 0
    assert capsys.readouterr().out == "7 trials, 21 runs\n"
    assert list(tmp_path.iterdir()) == []
