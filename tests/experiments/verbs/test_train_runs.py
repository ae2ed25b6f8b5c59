"""The runs that `train` starts, and their order."""

import pytest

from experiments import cli
from experiments.verbs import train_arguments
from launch import run
from launch.runs import logs, run_directory


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Runs go to an empty directory, and nothing is ever started."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def launched(monkeypatch):
    """Replaces training by one line of evaluations; lists the runs it replaced."""
    ran = []

    def launch(experiment, directory, mode, *_, **__):
        ran.append((experiment, mode))
        log = logs.EvaluationLog(directory)
        for grid in (50, 100):
            returns = [float(grid + experiment.seed), float(grid - 1)]
            log.write(grid, logs.Counts(grid), returns, [7, 5])
        log.close()

    monkeypatch.setattr(run, "run_experiment", launch)
    return ran


def test_train_runs_the_experiment_of_the_flags(launched, capsys, elsewhere):
    line = (
        "train mdqn/catch --launch threads --seed 7 --steps 1e3 --actors 2 "
        "--environments=3 --runs here --evaluation.period 500 --environment.rows 7 "
        "--agent.log_policy_floor -5e-1 --agent.network.hidden 13,11 "
        "--agent.loss squared --agent.storage.min_size 1_00"
    )
    assert cli.main(line.split()) == 0
    [(experiment, mode)] = launched
    assert mode == "threads"
    assert experiment.name == "mdqn/catch"
    assert (experiment.seed, experiment.steps) == (7, 1000)
    assert (experiment.actors, experiment.environments) == (2, 3)
    assert experiment.evaluation.period == 500
    assert experiment.environment.rows == 7
    assert experiment.agent.log_policy_floor == -0.5
    assert experiment.agent.network.hidden == (13, 11)
    assert experiment.agent.loss == "squared"
    assert experiment.agent.storage.min_size == 100
    [directory] = (elsewhere / "here" / "mdqn" / "catch").iterdir()
    assert run_directory.read_experiment(directory) == experiment
    assert capsys.readouterr().out.splitlines() == [
        f"here/mdqn/catch/{directory.name}",
        "seed 7  final evaluation return 103  (first evaluation 53)",
    ]


def test_flags_may_stand_before_the_experiment():
    plan = train_arguments.plan(["--seed", "3", "mdqn/catch"])
    assert plan.experiments[0].seed == 3


def test_seeds_of_programs_run_in_turn_and_are_summarised(launched, capsys, elsewhere):
    assert cli.main("train dqn/catch --seeds 3 --launch threads".split()) == 0
    assert [experiment.seed for experiment, _ in launched] == [0, 1, 2]
    assert len(list((elsewhere / "runs" / "dqn" / "catch").glob("seed*"))) == 3
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "3 runs: 3 to start"
    assert out[4:] == [
        "seed 0  final evaluation return 99.5  (first evaluation 49.5)",
        "seed 1  final evaluation return 100  (first evaluation 50)",
        "seed 2  final evaluation return 100.5  (first evaluation 50.5)",
        "mean over 3 seeds  100  (from 99.5 to 100.5)",
    ]


@pytest.mark.parametrize(
    "line, name",
    [
        ("mdqn/atari --environment.game seaquest", "mdqn/seaquest"),
        ("dqn/pong --environment.game breakout", "dqn/breakout"),
        ("dqn/pong-cpu --environment.game breakout", "dqn/breakout-cpu"),
        ("dqn/pong --environment.game pong", "dqn/pong"),
        ("dqn/cartpole --environment.name Acrobot-v1", "dqn/acrobot-v1"),
    ],
)
def test_the_run_directory_names_the_game_that_is_played(line, name):
    assert train_arguments.plan(line.split()).experiments[0].name == name
