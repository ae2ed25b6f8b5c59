"""`train --isolate`, and the refusal of public addresses."""

import pytest

from experiments import cli
from experiments.flags import OverrideError
from experiments.verbs import train_isolated
from launch import reach


@pytest.mark.parametrize(
    "line, asked",
    [
        ("mdqn/catch --isolate", True),
        ("mdqn/catch --isolate --launch processes", True),
        ("--isolate true mdqn/catch", True),
        ("mdqn/catch --isolate=false", False),
        ("mdqn/catch --isolated", False),
        ("mdqn/catch -- --isolate", False),
        ("", False),
    ],
)
def test_the_flag_is_found_before_the_line_is_read(line, asked):
    assert train_isolated.asked(line.split()) == asked


def test_another_value_is_refused():
    with pytest.raises(OverrideError, match=r"must be true or false, got 'x'"):
        train_isolated.asked(["--isolate", "x"])


@pytest.mark.parametrize(
    "settings, said",
    [
        ("--launch local", "got --launch local: a local run opens no port"),
        ("--launch ray", "with --launch threads or processes, got --launch ray"),
        ("--launch threads --wandb online", "use --wandb offline, and sync it later"),
    ],
)
def test_isolation_that_cannot_work_is_refused(settings, said, capsys, monkeypatch):
    monkeypatch.setattr(reach, "isolate", lambda: None)  # this process has threads
    assert cli.main(f"train mdqn/catch --isolate {settings}".split()) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and said in err


def test_a_cluster_is_not_joined_from_a_public_address(capsys, monkeypatch):
    monkeypatch.setattr(reach, "own_addresses", lambda: ["10.7.0.3", "8.8.4.4"])
    line = "train mdqn/catch --launch ray --address 10.7.0.3:6379"
    assert cli.main(line.split()) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "the public address 8.8.4.4" in err
