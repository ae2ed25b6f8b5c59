"""The summary that `train` prints at the end."""

import pytest

from experiments import cli
from experiments.verbs import train_summary
from launch import run
from tests.experiments.run_directories import write


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Runs go to an empty directory, and nothing is ever started."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_run_without_evaluations_prints_no_return(monkeypatch, capsys):
    monkeypatch.setattr(run, "run_experiment", lambda *_, **__: None)
    assert cli.main(["train", "dqn/catch"]) == 0
    assert "seed 0  final evaluation return no evaluation" in capsys.readouterr().out


def test_the_first_evaluation_is_printed_next_to_the_last(tmp_path, capsys):
    write(tmp_path, "mdqn/catch", 0, {50: [-2.0, -1.0], 100: [1.0], 150: [0.5, 1.0]})
    [directory] = (tmp_path / "mdqn" / "catch").iterdir()
    train_summary.summarise([(0, directory)])
    line = "seed 0  final evaluation return 0.75  (first evaluation -1.5)"
    assert capsys.readouterr().out == line + "\n"
