"""Runs that learn from a dataset, whole: stages, evaluation, checkpoints, resuming."""

import os
import signal

import jax
import numpy as np
import pytest

from experiments import cli
from launch import errors, preflight, run
from launch.roles import stages
from launch.roles.evaluator import Evaluator
from launch.runs import checkpoint, logs, run_directory
from tests.launch import pendulum_dataset
from tests.launch.local_runs import parameters, run_new
from tests.launch.small_experiments import STAGED, pendulum
from tests.marks import quick


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "pendulum.hdf5"
    return str(pendulum_dataset.write(path, 150))


@pytest.mark.parametrize("name", quick(["ploff"], STAGED))
def test_a_run_stopped_in_its_first_stage_resumes_there(name, dataset, tmp_path):
    """As if it had been killed after the stage's first checkpoint."""
    changes = {"checkpoint.period": 20, "checkpoint.keep": 10}
    whole = run_new(tmp_path / "whole", pendulum(name, dataset, **changes))
    part = run_new(tmp_path / "part", pendulum(name, dataset, **changes))
    for root, kept in ((part, "0"), (part / "pretraining", "20")):
        for path in (root / checkpoint.DIRECTORY).iterdir():
            if path.name != kept:
                path.rename(tmp_path / f"{root.name}-{path.name}")
    assert cli.main(["train", "--resume", str(part)]) == 0
    jax.tree.map(np.testing.assert_array_equal, parameters(whole), parameters(part))


def test_a_run_stopped_by_a_signal_in_the_first_stage_says_how_to_resume_it(
    dataset, tmp_path, monkeypatch, capsys
):
    whole = run_new(tmp_path / "whole", pendulum("ploff", dataset))
    part = run_directory.create(tmp_path / "part", pendulum("ploff", dataset))
    report = stages.Recorder.report

    def stop(recorder, counts, learner):
        report(recorder, counts, learner)
        if counts.learner_steps == 17:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patched:
        patched.setattr(stages.Recorder, "report", stop)
        with pytest.raises(errors.RunStopped, match=f"continue with --resume {part}"):
            wanted = run_directory.read_experiment(part)
            run.run_experiment(wanted, part, "local", preflight.check(wanted))
    assert checkpoint.newest(part / "pretraining").counts.clock == 17
    assert cli.main(["evaluate", str(part)]) == 2  # not untrained weights
    assert "has not learned a policy yet" in (err := capsys.readouterr().err)
    title = "ploff/hopper-medium seed 0  pretraining"
    assert any(line.startswith(title) for line in err.splitlines())
    assert cli.main(["train", "--resume", str(part)]) == 0
    jax.tree.map(np.testing.assert_array_equal, parameters(whole), parameters(part))


def test_a_resumed_run_repeats_an_evaluation_that_a_signal_cut_short(
    dataset, tmp_path, monkeypatch
):
    wanted = pendulum("bc", dataset)
    whole = run_new(tmp_path / "whole", wanted)
    part = run_directory.create(tmp_path / "part", wanted)
    play = Evaluator._play

    def interrupted(evaluator, loop, tick):
        os.kill(os.getpid(), signal.SIGTERM)
        return play(evaluator, loop, tick)

    with monkeypatch.context() as patched, pytest.raises(errors.RunStopped):
        patched.setattr(Evaluator, "_play", interrupted)
        run.run_experiment(wanted, part, "local", preflight.check(wanted))
    assert logs.read_evaluations(part) == []
    assert cli.main(["train", "--resume", str(part)]) == 0
    found, expected = (
        [row._replace(wall_time=0.0) for row in logs.read_evaluations(directory)]
        for directory in (part, whole)
    )
    assert found == expected and expected


def test_online_and_offline_runs_do_not_mix(dataset, tmp_path, capsys):
    words = ["--dataset", dataset, "--environment.name", "InvertedPendulum-v5"]
    command = ["train", "td3/hopper", *words, "--runs", str(tmp_path), "--steps", "9"]
    for added, said in (
        (["--actors", "2", "--launch", "threads"], "remove --actors"),
        (["--agent.storage.n_step", "3"], "--agent.storage.n_step 1"),
        (
            ["--agent.storage.terminal_at_time_limit", "true"],
            "--agent.storage.terminal_at_time_limit false",
        ),
        (["--evaluation.lockstep", "true"], "--evaluation.lockstep false"),
    ):
        assert cli.main([*command, *added]) == 2
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_too_few_transitions_show_before_a_first_stage_learns(
    dataset, tmp_path, capsys
):
    line = ["train", "ploff/hopper", "--dataset", dataset, "--runs", str(tmp_path)]
    line += ["--environment.name", "InvertedPendulum-v5", "--agent.neighbours", "151"]
    line += ["--steps", "9", "--agent.pretraining_steps", "9"]
    assert cli.main(line) == 2
    error = capsys.readouterr().err
    assert "--agent.neighbours must be between 1 and 150" in error
    assert list(tmp_path.iterdir()) == []


def test_an_agent_that_needs_a_dataset_is_refused_without_one(capsys, tmp_path):
    line = ["train", "bc/hopper-medium", "--dataset", "", "--runs", str(tmp_path)]
    assert cli.main(line) == 2
    assert "--dataset" in capsys.readouterr().err
    assert cli.main(["train", "bc/ant", "--runs", str(tmp_path)]) == 2
    assert (
        "bc learns from a dataset: name one with --dataset" in capsys.readouterr().err
    )
    assert list(tmp_path.iterdir()) == []
