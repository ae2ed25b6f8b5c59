"""A stranger's agent package, from `train` to `report`, through the command line."""

import os
from pathlib import Path

import pytest
import yaml

from launch.runs.logs import read_evaluations
from tests.experiments.user_packages import STRANGER, write_entry_points

SMALL = "--log_period 200 --evaluation.period 500 --evaluation.episodes 20"


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """The stranger's package as commands find it; returns its folder."""
    path = os.pathsep.join([str(STRANGER), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path.rstrip(os.pathsep))


def run(command, line, code=0):
    """Runs a command to its end; returns its output."""
    found, out, err = command.munchausen(line).wait()
    assert found == code, err
    return out if code == 0 else err


def directories(command):
    return sorted(Path(command.directory).glob("runs/*/*/seed*/"))


@pytest.mark.slow
def test_from_train_to_report_with_a_plugin(command, installed, monkeypatch):
    run(
        command,
        f"train hasty_double_dqn/catch --plugin stranger_agents --steps 6000 "
        f"--agent.mixture 0.5 {SMALL}",
    )
    [directory] = directories(command)
    config = yaml.safe_load((directory / "config.yaml").read_text())["experiment"]
    assert config["agent_name"] == "stranger_agents:hasty_double_dqn"
    assert config["agent"]["mixture"] == 0.5
    # From here on no command needs the flag.
    out = run(command, f"train --resume {directory} --steps 7000 --environments 3")
    assert "from step 6,000" in out
    rows = read_evaluations(directory)
    assert [row.grid for row in rows] == list(range(500, 7001, 500))
    assert rows[-1].mean_return > 0.5 > rows[0].mean_return
    out = run(command, f"evaluate {directory} --episodes 30")
    assert float(out.split()[2]) > 0.5
    run(command, f"record {directory} --output policy.GIF")
    assert (command.directory / "policy.GIF").read_bytes().startswith(b"GIF89a")
    run(command, f"report {directory} --output page.HTML")
    assert (
        "stranger_agents:hasty_double_dqn"
        in (command.directory / "page.HTML").read_text()
    )
    monkeypatch.setenv("PYTHONPATH", "")
    for line in (f"evaluate {directory}", f"train --resume {directory} --steps 9000"):
        assert run(command, line, code=2) == (
            f"munchausen: {directory}/config.yaml names an agent: Python must find the "
            "module stranger_agents, but does not: start in the folder that holds it, "
            "put that folder on PYTHONPATH, or install its package with pip\n"
        )


@pytest.mark.slow
def test_several_seeds_at_once_with_an_entry_point(command, installed, monkeypatch):
    folder = command.directory / "site"
    folder.mkdir()
    write_entry_points(folder, "stranger-agents", ["stranger = stranger_agents"])
    monkeypatch.setenv("PYTHONPATH", f"{folder}:{os.environ['PYTHONPATH']}")
    assert "double_dqn/catch" in run(command, "list double_dqn/")
    line = f"train double_dqn/catch --seeds 2 --steps 600 {SMALL}"
    assert "mean over 2 seeds" in run(command, line)
    assert len(directories(command)) == 2


@pytest.mark.slow
@pytest.mark.launchpad
@pytest.mark.parametrize("mode", ["threads", "processes"])
def test_a_program_finds_the_agent_in_every_process(command, installed, mode):
    run(
        command,
        f"train double_dqn/catch --plugin stranger_agents --launch {mode} "
        f"--actors 2 --steps 600 {SMALL}",
    )
    [directory] = directories(command)
    assert read_evaluations(directory)[-1].grid == 600
    run(command, f"train --resume {directory} --steps 900 --actors 1")
    assert read_evaluations(directory)[-1].grid == 900
