"""The summary that `train` prints at the end."""

import pytest

from experiments import cli
from launch import run


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Runs go to an empty directory, and nothing is ever started."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_run_without_evaluations_prints_no_return(monkeypatch, capsys):
    monkeypatch.setattr(run, "run_experiment", lambda *_, **__: None)
    assert cli.main(["train", "dqn/catch"]) == 0
    assert "seed 0  final evaluation return no evaluation" in capsys.readouterr().out
