"""`--wandb` from the command line to the run."""

import pytest

from experiments import cli
from launch import run
from tests.launch.runs import stand_in_wandb


@pytest.fixture
def library(monkeypatch):
    return stand_in_wandb.install(monkeypatch)


@pytest.fixture
def absent(monkeypatch):
    stand_in_wandb.remove(monkeypatch)


@pytest.mark.parametrize("mode", ["offline", "online"])
def test_without_the_package_nothing_starts(mode, absent, capsys, tmp_path):
    line = ["train", "mdqn/catch", "--runs", str(tmp_path / "runs"), "--wandb", mode]
    assert cli.main(line) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert "not installed: run `make wandb`" in err
    assert not list(tmp_path.iterdir())


def test_the_flag_reaches_the_run(library, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(
        run, "run_experiment", lambda *_, wandb, **__: asked.append(wandb)
    )
    line = ["train", "mdqn/catch", "--runs", str(tmp_path), "--wandb", "offline"]
    assert cli.main(line) == 0
    assert asked == ["offline"]
    assert cli.main([*line[:-1], "onlin"]) == 2
