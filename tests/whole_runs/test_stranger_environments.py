"""Strangers' environments, from `train` to `report`, through the command line."""

from pathlib import Path

import pytest
import yaml

from launch.runs.logs import read_evaluations

pytestmark = pytest.mark.usefixtures("strangers")
DISCRETE = (
    "--agent.network.hidden 16 --agent.storage.min_size 100 --agent.storage.capacity "
    "4000 --agent.exploration.start 0 --agent.exploration.decay_steps 1000"
)
CONTINUOUS = (
    "--agent.network.hidden 16 --agent.storage.min_size 100 --agent.storage.capacity "
    "4000 --agent.storage.batch_size 16 --agent.storage.samples_per_insert 16 "
    "--agent.exploration.start 200"
)
SHORT = "--log_period 200 --evaluation.period 500 --evaluation.episodes 10"


def run(command, line, code=0):
    """Runs a command to its end; returns its output, or its errors if it fails."""
    found, out, err = command.munchausen(line).wait(300)
    assert found == code, err
    return out if code == 0 else err


def directory(command):
    [found] = Path(command.directory).glob("runs/*/*/*/")
    return found


CASES = {
    "corridor": (
        "mdqn",
        "--environment.id stranger_envs:stranger/Corridor-v3 "
        "--environment.kwargs.length 5 --environments 3",
        DISCRETE,
    ),
    "tank": (
        "td3",
        "--environment.id stranger_envs:make_tank --environment.kwargs.steps 15",
        CONTINUOUS,
    ),
    "lights": ("dqn", "--environment.id stranger_envs:Lights-v0", DISCRETE),
    "swing": (
        "mdqn",
        "--environment.id stranger_envs:Swing --environment.kwargs.steps 4",
        DISCRETE,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_from_train_to_report(case, command, monkeypatch):
    monkeypatch.delenv("XLA_FLAGS", raising=False)  # slow code would take minutes
    agent, which, settings = CASES[case]
    run(command, f"train {agent}/gymnasium {which} {settings} {SHORT} --steps 1500")
    made = directory(command)
    config = yaml.safe_load((made / "config.yaml").read_text())["experiment"]
    assert config["environment"]["kind"] == "Gymnasium"
    assert "from step 1,500" in run(command, f"train --resume {made} --steps 2000")
    grid = [row.grid for row in read_evaluations(made)]
    assert grid == [500, 1000, 1500, 2000]
    assert float(run(command, f"evaluate {made} --episodes 5").split()[2]) < 1e6
    run(command, f"report {made} --output page.html")
    assert (command.directory / "page.html").stat().st_size > 10_000
    if case in ("corridor", "lights"):
        run(command, f"record {made} --output policy.gif --steps 20")
        assert (command.directory / "policy.gif").read_bytes().startswith(b"GIF89a")
    else:
        assert "cannot be recorded" in run(command, f"record {made}", code=2)


@pytest.mark.slow
@pytest.mark.launchpad
def test_processes_make_their_own_environments(command):
    agent, which, settings = CASES["corridor"]
    line = f"train {agent}/gymnasium {which} {settings} {SHORT} --steps 1000"
    run(command, f"{line} --launch processes --actors 2")
    assert [row.grid for row in read_evaluations(directory(command))] == [500, 1000]


@pytest.mark.slow
def test_a_dataset_of_a_strangers_environment_is_learned_from(command, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(command.directory / "minari"))
    agent, which, settings = CASES["tank"]
    run(command, f"train {agent}/gymnasium {which} {settings} {SHORT} --steps 1000")
    run(command, f"collect {directory(command)} --quality expert --steps 300")
    [data] = (command.directory / "minari").glob("munchausen/*/expert-v0")
    run(
        command,
        f"train bc/gymnasium {which} --dataset {data} --agent.network.hidden 16 "
        "--steps 50 --evaluation.period 50 --evaluation.episodes 2 --runs offline",
    )


def test_mistakes_are_one_line_before_anything_is_written(command):
    for line, said in (
        (
            "train mdqn/gymnasium --environment.id stranger_envs:Broken "
            "--environment.kwargs.how array",
            "at step 2 of its episode 1: the reward must be a number, got an array",
        ),
        (
            "train sac/gymnasium --environment.id stranger_envs:Swing",
            "sac must have an environment whose actions are continuous, but those of ",
        ),
        ("train sac/Pendulum-v1", "use sac/gymnasium --environment.id Pendulum-v1"),
        (
            "train mdqn/cartpole --environment.name FrozenLake-v1",
            "use mdqn/gymnasium --environment.id FrozenLake-v1",
        ),
        (
            "train mdqn/gymnasium",
            "mdqn/gymnasium needs an environment, such as --environment.id",
        ),
    ):
        code, _, err = command.munchausen(line).wait(60)
        assert code in (1, 2) and said in err and err.count("\n") == 1, err
    assert not (command.directory / "runs").exists()
