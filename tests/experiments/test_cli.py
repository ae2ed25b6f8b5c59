"""The command line: what it prints, and how it says no."""

import importlib
import inspect
import os
import re
import subprocess
import sys

import pytest

from experiments import cli
from experiments.names import EXPERIMENTS, FIGURES
from experiments.verbs import train_arguments
from launch import errors, run
from launch.policies import evaluate
from launch.runs import logs, run_directory


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Runs go to an empty directory, and nothing is ever started."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def launched(monkeypatch):
    """Replaces training by one line of evaluations; lists what would have run."""
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


@pytest.mark.parametrize(
    "line, message",
    [
        ("", "name a verb: list, train, evaluate, .*doctor"),
        ("trian mdqn/pong", "unknown verb trian; nearest: train"),
        ("--halp", "unknown verb --halp"),
        ("train", "name an experiment first"),
        ("train mdqn/pnog", "unknown experiment mdqn/pnog; nearest: mdqn/pong"),
        ("train mdqnn/catch", "unknown experiment mdqnn/catch; nearest: mdqn/catch"),
        ("train mdqn/hopper", "mdqn takes discrete actions, those of hopper are cont"),
        ("train --seed 1 sac/pong", "sac takes continuous .* for pong: dqn, mdqn, .*"),
        ("train mdqn/pong dqn/pong", "one experiment at a time"),
        (
            "train mdqn/pong --agent.temprature 0.1",
            "unknown field --agent.temprature; nearest: --agent.temperature",
        ),
        (
            "train mdqn/pong --learning_rate 0.1",
            "nearest: --agent.optimizer.learning_rate",
        ),
        ("train mdqn/pong --step 5", "unknown field --step; nearest: --steps"),
        ("train mdqn/pong -seed 5", "unknown field -seed; nearest: --seed"),
        ("train dqn/pong --agent.temperature 1", "unknown field --agent.temperature"),
        ("train mdqn/catch --environment.game pong", "unknown field --environment.gam"),
        ("train mdqn/pong --name other", "unknown field --name"),
        ("train mdqn/pong --resume run", "mdqn/pong is not needed"),
        (
            "train mdqn/pong --environment.game pnog",
            "--environment.game must .*pong.*pnog",
        ),
        (
            "train mdqn/pong --environment.protocol dopamin",
            "nearest: 'dopamine'.*'dopamin'",
        ),
        (
            "train mdqn/cartpole --environment.name CartPole-v7",
            "nearest: .CartPole-v1.*CartPole-v7",
        ),
        ("train mdqn/atari", "needs a game, such as --environment.game"),
        ("train mdqn/pong --launch thread", "'thread' is none of .*nearest: threads"),
        ("train mdqn/pong --agent.loss hubert", "'hubert' is none .*nearest: huber"),
        ("train mdqn/pong --agent.discount", "--agent.discount needs a value: float"),
        ("train mdqn/pong --seed --steps 5", "--seed needs a value: int"),
        ("train mdqn/pong --agent.discount big", "'big' is not a number"),
        ("train mdqn/pong --agent.discount nan", "'nan' is not a number"),
        ("train mdqn/pong --steps 1.5", "'1.5' is not an integer; nearest: 2"),
        ("train mdqn/pong --steps many", "'many' is not an integer"),
        ("train mdqn/pong --agent.network.hidden 64,x", "'x' is not an integer"),
        (
            "train mdqn/pong --agent.discount 2",
            "--agent.discount must be between 0 and 1, got 2$",
        ),
        (
            "train miqn/pong --agent.temperature=0",
            "--agent.temperature must be above 0, got 0$",
        ),
        (
            "train mdqn/pong --agent.storage.batch_size 0",
            ": --agent.storage.batch_size",
        ),
        (
            "train mdqn/pong --agent.storage.capacity 5",
            "or learning never starts, got 20000",
        ),
        (
            "train mdqn/pong --agent.target_update_period 0",
            "--agent.target.* at least 1",
        ),
        ("train mdqn/pong --evaluation.episodes 0", "--evaluation.episodes must "),
        ("train mdqn/pong --steps 0", ": --steps must be at least 1, got 0$"),
        ("train mdqn/pong --seed -1", "--seed must be at least 0, got -1$"),
        ("train mdqn/pong --seeds 0", "--seeds: .*at least 1"),
        ("train mdqn/pong --seeds 2 --seed 1", "give one"),
        ("train mdqn/pong --actors 4", "a local run has one actor"),
        ("train mdqn/catch --seeds 2 --parallel 0", "--parallel: .*at least 1"),
        ("train mdqn/catch --parallel 2 --launch threads", "one run after the other"),
        ("train leverage/cartpol", "leverage/cartpol; nearest: leverage/cartpole"),
        ("train leverage/cartpole --agent.temperature 1", "unknown field --agent.temp"),
        ("train leverage/cartpole --seeds 2 --seed 1", "give one"),
        ("train leverage/cartpole --seeds 0", "--seeds: .*at least 1"),
        ("train leverage/cartpole dqn/catch", "one experiment at a time"),
        (
            "train mdqn/catch --agent.network.torso nature",
            "--agent.network.torso must be",
        ),
        ("list cartpoel", "no experiment is named like cartpoel; nearest: "),
        ("list --all", "unknown field --all"),
        ("evaluate", "name one run directory"),
        ("evaluate nowhere", "nowhere is no directory"),
        ("evaluate . ", "is no run directory: it has no config.yaml"),
        ("evaluate . --episodes 0", "--episodes: .*at least 1"),
        ("evaluate . --episode 5", "unknown field --episode; nearest: --episodes"),
        ("doctor pong", "doctor takes no arguments"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(line, message, capsys, elsewhere):
    assert cli.main(line.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("munchausen: ") and err.count("\n") == 1
    assert re.search(message, err), err
    assert not list(elsewhere.iterdir())


def test_a_file_in_the_way_of_the_runs_is_one_line(capsys, elsewhere):
    (elsewhere / "runs").write_text("mine")
    assert cli.main(["train", "mdqn/catch"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("munchausen: cannot write runs to runs: ")
    assert err.count("\n") == 1
    assert (elsewhere / "runs").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_without_permission_is_one_line(capsys, elsewhere):
    elsewhere.chmod(0o500)
    assert cli.main(["train", "mdqn/catch"]) == 2
    elsewhere.chmod(0o700)
    assert capsys.readouterr().err.count("\n") == 1


def test_a_mistake_leaves_no_traceback_in_a_process_of_its_own():
    command = [sys.executable, "-m", "experiments.cli", "train", "mdqn/pnog"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout == "" and done.stderr.count("\n") == 1


@pytest.mark.parametrize("argument", ["--help", "-h", "help"])
def test_help_names_every_verb(argument, capsys):
    assert cli.main([argument]) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {verb} " in out for verb in cli.VERBS)


def test_help_imports_nothing_heavy():
    code = """
import sys
from experiments import cli
assert cli.main(["--help"]) == 0
heavy = {"jax", "numpy", "tensorflow", "reverb", "launchpad", "gymnasium", "ale_py"}
print(sorted(heavy & sys.modules.keys()))
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_of_an_experiment_lists_every_field(capsys):
    assert cli.main(["train", "mdqn/cartpole", "--help"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    shown = {line[0]: line[1:3] for line in lines if len(line) > 2}
    assert shown["--agent.temperature"] == ["float", "0.03"]
    assert shown["--agent.network.hidden"] == ["int,...", "128,128"]
    assert shown["--agent.loss"] == ["huber|squared", "huber"]
    assert shown["--launch"] == ["local|threads|processes", "local"]
    assert shown["--seeds"] == ["int|none", "none"]
    assert {"--steps", "--seed", "--actors", "--environments", "--runs"} <= set(shown)
    assert {"--evaluation.period", "--environment.name"} <= set(shown)


@pytest.mark.parametrize("verb", sorted(cli.VERBS))
def test_every_verb_has_help(verb, capsys):
    assert cli.main([verb, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: munchausen {verb}")


@pytest.mark.parametrize("module", [*cli.VERBS.values(), "train_resume"])
def test_verbs_have_one_shape(module):
    verb = importlib.import_module(f"experiments.verbs.{module}")
    assert isinstance(verb.HELP, str) or callable(verb.HELP)
    assert list(inspect.signature(verb.main).parameters) == ["arguments"]


def test_list_shows_every_experiment(capsys):
    assert cli.main(["list"]) == 0
    tables = capsys.readouterr().out.split("\n\n")
    rows = tables[0].splitlines()[1:]
    assert [row.split()[0] for row in rows] == list(EXPERIMENTS)
    assert all(EXPERIMENTS[row.split()[0]].description in row for row in rows)
    figures = [row.split()[:3] for row in tables[1].splitlines()[1:]]
    assert figures == [
        [figure.name, str(len(figure.experiments)), str(figure.seeds)]
        for figure in FIGURES.values()
    ]


def test_list_filters_by_words(capsys):
    assert cli.main(["list", "mdqn/", "cart"]) == 0
    rows = capsys.readouterr().out.splitlines()[1:]
    assert [row.split()[0] for row in rows] == ["mdqn/cartpole", "dvw_mdqn/cartpole"]


def test_train_runs_what_the_flags_say(launched, capsys, elsewhere):
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
        "seed 7  final evaluation return 103",
    ]


def test_flags_may_stand_before_the_experiment():
    plan = train_arguments.plan(["--seed", "3", "mdqn/catch"])
    assert plan.experiments[0].seed == 3


def test_seeds_of_programs_run_one_after_the_other_and_are_summed_up(
    launched, capsys, elsewhere
):
    assert cli.main("train dqn/catch --seeds 3 --launch threads".split()) == 0
    assert [experiment.seed for experiment, _ in launched] == [0, 1, 2]
    assert len(list((elsewhere / "runs" / "dqn" / "catch").iterdir())) == 3
    assert capsys.readouterr().out.splitlines()[3:] == [
        "seed 0  final evaluation return 99.5",
        "seed 1  final evaluation return 100",
        "seed 2  final evaluation return 100.5",
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


def test_a_run_without_evaluations_says_so(monkeypatch, capsys):
    monkeypatch.setattr(run, "run_experiment", lambda *_, **__: None)
    assert cli.main(["train", "dqn/catch"]) == 0
    assert "seed 0  final evaluation return no evaluation" in capsys.readouterr().out


def test_a_run_that_fails_is_no_traceback_but_another_exit_code(monkeypatch, capsys):
    def failed(*_, **__):
        raise errors.RunFailed("learner died")

    monkeypatch.setattr(run, "run_experiment", failed)
    assert cli.main(["train", "dqn/catch"]) == 1
    assert capsys.readouterr().err == "munchausen: learner died\n"


def test_ctrl_c_is_no_traceback(monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "run_experiment", interrupted)
    assert cli.main(["train", "dqn/catch"]) == 130
    assert capsys.readouterr().err == "munchausen: interrupted\n"


def test_evaluate_reports_mean_and_standard_error(monkeypatch, capsys, elsewhere):

    def evaluate_run(directory, episodes, seed):
        assert (str(directory), episodes, seed) == (".", 4, 9)
        return [1.0, 3.0, 1.0, 3.0]  # deviation 2 / sqrt(3), error 1 / sqrt(3)

    monkeypatch.setattr(evaluate, "evaluate_run", evaluate_run)
    assert cli.main("evaluate . --episodes 4 --seed 9".split()) == 0
    out = capsys.readouterr().out
    assert out == "mean return 2  standard error 0.577  episodes 4\n"
