"""Sweeps as users start them: side by side, stopped, continued, with runs that fail."""

import csv
import signal

import pytest

from experiments.reporting import read_runs
from tests.commands import Command

pytestmark = pytest.mark.slow

LINE = (
    "sweep mdqn/catch --agent.network.hidden 7 --evaluation.episodes 3 --output a.csv "
    "--parallel 2"
)


@pytest.fixture
def command(tmp_path):
    made = Command(tmp_path)
    yield made
    made.clean_up()


def start(command, line):
    return command.start("-m", "experiments.cli", *line.split())


def rows(directory):
    with (directory / "a.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_sweep_that_was_stopped_continues(command, tmp_path):
    line = (
        f"{LINE} --agent.temperature 0.1,0.2,0.3 --steps 9000 --checkpoint.period 500"
    )
    start(command, line)
    saved = "runs/mdqn/catch/*/checkpoints/*/manifest.json"
    for _ in command.patiently(100, "the checkpoints of two runs"):
        if len({path.parents[2] for path in tmp_path.glob(saved)}) == 2:
            break
    command.process.send_signal(signal.SIGINT)
    code, out, err = command.wait()
    assert code == 128 + signal.SIGINT
    assert "stopped by SIGINT; continue with the same command" in err
    assert "3 runs: 3 to start" in out and not (tmp_path / "a.csv").exists()
    code, out, err = start(command, line).wait(200)
    assert code == 0, err
    assert "3 runs: 1 to start, 2 to resume" in out
    assert [row["agent.temperature"] for row in rows(tmp_path)] == ["0.1", "0.2", "0.3"]
    assert {row["state"] for row in rows(tmp_path)} == {"complete"}
    assert len(list(tmp_path.glob("runs/mdqn/catch/seed0-*"))) == 3
    [groups] = read_runs.read([str(tmp_path / "runs")]).groups.values()
    assert [group.label for group in groups] == [
        f"mdqn, temperature {temperature}" for temperature in (0.1, 0.2, 0.3)
    ]


def test_a_run_that_fails_is_named_and_the_others_end(command, tmp_path):
    line = f"{LINE} --agent.optimizer.learning_rate 1e-3,1e30 --steps 600 --seeds 2"
    code, out, err = start(command, line).wait()
    assert code == 1
    assert "(learning_rate 1e+30) failed (exit code 1)" in err
    assert "2 of 4 runs failed" in err.splitlines()[-1]
    assert out.count("without a return: learning_rate 1e+30, seed") == 2
    returns = [row["return"] for row in rows(tmp_path)]
    assert all(returns[:2]) and returns[2:] == ["", ""]
    assert (tmp_path / "a.png").exists()


def test_optuna_runs_trials_side_by_side(command, tmp_path):
    pytest.importorskip("optuna")
    line = f"{LINE} --agent.temperature 0.01:1:log --steps 600 --seeds 2 --optuna 3"
    code, out, err = start(command, line).wait()
    assert code == 0, err
    found = rows(tmp_path)
    assert len(found) == 6 and {row["state"] for row in found} == {"complete"}
    assert len({row["agent.temperature"] for row in found}) == 3
    assert out.splitlines()[0] == "3 trials, 6 runs" and "best" in out
    assert (tmp_path / "a.png").exists()
