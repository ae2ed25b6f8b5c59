"""The command line: its output and its error messages."""

import importlib
import inspect
import os
import platform
import re
import signal
import subprocess
import sys

import pytest

from experiments import cli
from launch import errors, run


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Runs go to an empty directory, and nothing is ever started."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "line, message",
    [
        ("", "name a verb, one of list, train, sweep, evaluate, .*doctor"),
        ("trian mdqn/pong", "unknown verb 'trian'; did you mean 'train'"),
        ("--halp", "unknown verb '--halp'"),
        ("train", "name an experiment first"),
        ("train mdqn/pnog", "unknown experiment 'mdqn/pnog'; .* mean 'mdqn/pong'"),
        ("train mdqnn/catch", "unknown experiment 'mdqnn/catch'; .* mean 'mdqn/catch'"),
        ("train mdqn/hopper", "mdqn takes actions that are discrete, but those of"),
        (
            "train --seed 1 sac/pong",
            "sac takes actions that are continuous, .* for pong: dqn, dqn_rmsprop, .*",
        ),
        ("train mdqn/pong dqn/pong", "one experiment at a time"),
        (
            "train mdqn/pong --agent.temprature 0.1",
            "unknown field --agent.temprature; did you mean --agent.temperature",
        ),
        (
            "train mdqn/pong --learning_rate 0.1",
            "did you mean --agent.optimizer.learning_rate",
        ),
        ("train mdqn/pong --step 5", "unknown field --step; did you mean --steps"),
        ("train mdqn/pong -seed 5", "unknown field -seed; did you mean --seed"),
        ("train dqn/pong --agent.temperature 1", "unknown field --agent.temperature"),
        ("train mdqn/catch --environment.game pong", "unknown field --environment.gam"),
        ("train mdqn/pong --name other", "unknown field --name"),
        ("train mdqn/pong --resume run", "remove mdqn/pong"),
        (
            "train mdqn/pong --environment.game pnog",
            "--environment.game must .*pong.*pnog",
        ),
        (
            "train mdqn/pong --environment.protocol dopamin",
            "'dopamin'.*did you mean 'dopamine'",
        ),
        (
            "train mdqn/cartpole --environment.name CartPole-v7",
            "'CartPole-v7'.*did you mean 'CartPole-v1'",
        ),
        ("train mdqn/atari", "needs a game, such as --environment.game"),
        ("train mdqn/pong --launch thread", "must be one of .*'thread'; .*'threads'"),
        ("train mdqn/pong --agent.loss hubert", "must be one of .*'hubert'; .*'huber'"),
        ("train mdqn/pong --agent.discount", "--agent.discount needs a value: float"),
        ("train mdqn/pong --seed --steps 5", "--seed needs a value: int"),
        ("train mdqn/pong --agent.discount big", "must be a number, got 'big'"),
        ("train mdqn/pong --agent.discount nan", "must be a number .*'nan'"),
        ("train mdqn/pong --steps 1.5", "an integer, got '1.5'; did you mean 2"),
        ("train mdqn/pong --steps many", "must be an integer, got 'many'"),
        ("train mdqn/pong --agent.network.hidden 64,x", "must be an integer, got 'x'"),
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
        ("train mdqn/pong --seeds 0", "--seeds must be at least 1"),
        ("train mdqn/pong --seeds 2 --seed 1", "give one"),
        ("train mdqn/pong --actors 4", "a local run has one actor"),
        ("train mdqn/pong --actors_at_least 0", "--actors_at_least must be at least 1"),
        (
            "train mdqn/pong --launch processes --actors 2 --actors_at_least 3",
            "--actors_at_least must be at most --actors 2, got 3$",
        ),
        ("train mdqn/catch --seeds 2 --parallel 0", "--parallel must be at least 1"),
        ("train mdqn/catch --parallel 2 --launch threads", "one run after the other"),
        ("train mdqn/catch --parallel 2", "--parallel 2 is for several runs"),
        ("train leverage/cartpol", "cartpol'; did you mean 'leverage/cartpole"),
        ("train leverage/cartpole --agent.temperature 1", "unknown field --agent.temp"),
        ("train leverage/cartpole --seeds 2 --seed 1", "give one"),
        ("train leverage/cartpole --seeds 0", "--seeds must be at least 1"),
        ("train leverage/cartpole dqn/catch", "one experiment at a time"),
        (
            "train mdqn/catch --agent.network.torso nature",
            "--agent.network.torso must be",
        ),
        ("list cartpoel", "no name contains cartpoel; did you mean "),
        ("list cartpoel --all", "no name contains cartpoel; did you mean 'cartpole'"),
        ("list mdqn zzz", "no name contains mdqn and zzz; `list` prints an overview$"),
        ("list mdqn/ hopper", "no name contains mdqn/ and hopper: remove a word$"),
        ("list --al", "unknown field --al; did you mean --all"),
        ("doctor --al", "unknown field --al; this command has no fields$"),
        ("zzz", "unknown verb 'zzz'; one of list, train, .*cluster$"),
        (
            "train zzz",
            "unknown experiment 'zzz'; `munchausen list` prints what there is$",
        ),
        (
            "train zzz/cartpole",
            "'zzz/cartpole'; `munchausen list cartpole` prints the names with cartpole"
            "; an agent of yours needs --plugin MODULE$",
        ),
        ("train mdqn/zzz", "`munchausen list mdqn` prints the names with mdqn; an ag"),
        ("train --seed 3", "name an experiment first"),
        (
            "train --seed 3 mdqn/pnog",
            "unknown experiment 'mdqn/pnog'; did you mean 'mdqn/",
        ),
        ("train mdqn/pong --zzz 3", "unknown field --zzz; --help lists the fields$"),
        (
            "train mdqn/pong --environment.game zzz",
            "must be one of adventure, .*, got 'zzz'",
        ),
        (
            "train mdqn/pong --agent.loss zzz",
            "must be one of huber, squared, got 'zzz'$",
        ),
        ("train mdqn/pong --runs=", "--runs needs a value: str$"),
        (
            "train mdqn/pong --runs=~nobody7/x",
            "--runs must be a path, .* no user 'nobody7'",
        ),
        (
            "train mdqn/pong \u2013seed 3",
            "\u2013seed begins with an en dash: .*, --seed$",
        ),
        (
            "train mdqn/pong --seed \u22123",
            "begins with a typographic minus sign, type -3$",
        ),
        (
            "train mdqn/pong --agent.log_policy_floor 1000",
            "must be at most 0, got 1000$",
        ),
        ("train mdqn/pong --steps 1,000", "'1,000'; write 1000 or 1_000$"),
        (
            "report x --output page.pdf",
            "--output must end in .html or .htm, got page.pdf$",
        ),
        ("check-agent", "name one agent, such as mdqn or my_module:name$"),
        (
            "check-agent mdqnn",
            "there is no agent 'mdqnn': name one of dqn, .* of yours$",
        ),
        ("evaluate", "name one run directory"),
        ("evaluate nowhere", "nowhere is not a directory"),
        ("evaluate . ", "is not a run directory: it has no config.yaml"),
        ("evaluate . --episodes 0", "--episodes must be at least 1"),
        ("evaluate . --episode 5", "unknown field --episode; did you mean --episodes"),
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


def test_a_file_in_the_way_of_the_runs_is_a_one_line_error(capsys, elsewhere):
    (elsewhere / "runs").write_text("mine")
    assert cli.main(["train", "mdqn/catch"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("munchausen: cannot write runs to runs: ")
    assert err.count("\n") == 1
    assert (elsewhere / "runs").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_without_permission_is_a_one_line_error(capsys, elsewhere):
    elsewhere.chmod(0o500)
    assert cli.main(["train", "mdqn/catch"]) == 2
    elsewhere.chmod(0o700)
    assert capsys.readouterr().err.count("\n") == 1


def test_a_mistake_prints_no_traceback_from_a_real_process():
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
    assert shown["--launch"] == ["local|threads|processes|ray", "local"]
    assert shown["--seeds"] == ["int|none", "none"]
    assert {"--steps", "--seed", "--actors", "--environments", "--runs"} <= set(shown)
    assert {"--evaluation.period", "--environment.name"} <= set(shown)


@pytest.mark.parametrize("verb", sorted(cli.VERBS))
def test_every_verb_has_help(verb, capsys):
    assert cli.main([verb, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: munchausen {verb}")


@pytest.mark.parametrize("module", [*cli.VERBS.values(), "train_resume"])
def test_every_verb_has_help_and_main(module):
    verb = importlib.import_module(f"experiments.verbs.{module}")
    assert isinstance(verb.HELP, str) or callable(verb.HELP)
    assert list(inspect.signature(verb.main).parameters) == ["arguments"]


def test_a_failed_run_exits_with_1_and_no_traceback(monkeypatch, capsys):
    def failed(*_, **__):
        raise errors.RunFailed("learner died")

    monkeypatch.setattr(run, "run_experiment", failed)
    assert cli.main(["train", "dqn/catch"]) == 1
    assert capsys.readouterr().err == "munchausen: learner died\n"


def test_ctrl_c_prints_no_traceback(monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "run_experiment", interrupted)
    assert cli.main(["train", "dqn/catch"]) == 130
    assert capsys.readouterr().err == "munchausen: interrupted\n"


@pytest.mark.parametrize(
    "name, code, said",
    [
        ("SIGINT", 130, "interrupted"),
        ("SIGTERM", 75, "stopped by SIGTERM"),
        ("SIGUSR1", 75, "stopped by SIGUSR1"),
        ("SIGUSR2", 75, "stopped by SIGUSR2"),
    ],
)
@pytest.mark.parametrize("verb", ["train", "sweep"])
def test_a_signal_before_a_run_begins_ends_the_command_at_once(
    monkeypatch, verb, name, code, said
):
    ends, told = [], []

    def notified(arguments):
        signal.raise_signal(signal.Signals[name])
        return 0

    monkeypatch.setattr(cli, "_answer", notified)
    monkeypatch.setattr(cli.os, "_exit", ends.append)
    monkeypatch.setattr(cli.output, "write", lambda _, text: told.append(text))
    assert cli.main([verb, "dqn/catch"]) == 0
    assert (ends, told) == ([code], [f"munchausen: {said}\n".encode()])


@pytest.mark.parametrize(
    "line, first",
    [
        ("--help record", "usage: munchausen record <run directory>"),
        ("help train mdqn/catch", "usage: munchausen train <experiment>"),
        ("record nowhere --help", "usage: munchausen record <run directory>"),
        ("train --help mdqn/catch --seed 3", "usage: munchausen train <experiment>"),
        ("-h", "usage: munchausen <verb> ..."),
    ],
)
def test_help_is_printed_wherever_it_is_asked_for(line, first, capsys):
    assert cli.main(line.split()) == 0
    assert capsys.readouterr().out.startswith(first)


def test_the_version_names_program_python_and_jax(capsys):
    assert cli.main(["--version"]) == 0
    found = dict(line.split(" ", 1) for line in capsys.readouterr().out.splitlines())
    assert found["python"] == platform.python_version() and found["jax"].startswith(
        "0."
    )
    assert found.keys() - {"commit"} == {"munchausen", "python", "jax"}


def test_paths_of_every_verb_expand_a_home_directory(monkeypatch, capsys, elsewhere):
    monkeypatch.setenv("HOME", str(elsewhere))
    for line in (
        "evaluate ~/gone",
        "record ~/gone",
        "collect ~/gone",
        "report ~/gone",
        "train --resume ~/gone",
        "train --resume=~/gone",
    ):
        assert cli.main(line.split()) == 2
        assert f"{elsewhere}/gone" in capsys.readouterr().err
    (elsewhere / "file").touch()
    assert cli.main(["train", "mdqn/catch", "--runs=~/file"]) == 2
    assert f"cannot write runs to {elsewhere}/file" in capsys.readouterr().err
    assert cli.main(["bench", "--output=~/gone/b.JSON"]) == 2
    assert f"there is no directory {elsewhere}/gone" in capsys.readouterr().err


def test_a_machine_without_the_named_device_is_refused_in_one_line(
    monkeypatch, tmp_path, capsys
):
    monkeypatch.setenv("JAX_PLATFORMS", "abacus")
    monkeypatch.chdir(tmp_path)
    for line in ("train mdqn/catch --seeds 2", "evaluate runs", "record runs"):
        assert cli.main(line.split()) == 2
        out, error = capsys.readouterr()
        assert out == "" and error.count("\n") == 1
        assert error.startswith("munchausen: JAX must start on JAX_PLATFORMS='abacus'")
    assert not list(tmp_path.iterdir())
