"""Runs that learn from a dataset, whole: stages, evaluation, checkpoints, resuming."""

import os
import shutil
import signal

import jax
import numpy as np
import pytest

import agents
from agents.ploff import neighbours
from experiments import cli, flags
from experiments.catalogue.experiments import EXPERIMENTS
from launch import build, errors, preflight, run
from launch.datasets import load
from launch.datasets.sampler import DatasetBatches
from launch.policies import saved_policy
from launch.policies.evaluate import evaluate_run
from launch.roles import stages
from launch.roles.evaluator import Evaluator
from launch.runs import checkpoint, logs, run_directory
from tests.launch import catch_runs, logged
from tests.launch.local_runs import run_local

SMALL = {
    "environment.name": "InvertedPendulum-v5",
    "steps": 90,
    "evaluation.period": 30,
    "evaluation.episodes": 2,
    "checkpoint.period": 45,
    "log_period": 15,
    "agent.batch_size": 7,
    "agent.storage.batch_size": 7,
    "agent.network.hidden": (13,),
    "agent.autoencoder.hidden": (11,),
    "agent.autoencoder.batch_size": 5,
    "agent.embedding_size": 3,
    "agent.neighbours": 4,
}
OFFLINE = [name for name, recipe in agents.REGISTRY.items() if recipe.dataset]
STAGED = ["anti_exploration", "anti_exploration_code", "ploff"]
OFFLINE.remove("anti_exploration_code")  # other settings of one of them


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return str(logged.write(tmp_path_factory.mktemp("data") / "pendulum.hdf5", 150))


def make(name, dataset, **changes):
    base = EXPERIMENTS[f"{name}/hopper-medium"]
    known = flags.fields(base)
    wanted = SMALL | {"dataset": dataset, "agent.pretraining_steps": 40} | changes
    fitting = {path: value for path, value in wanted.items() if path in known}
    return flags.replace(base, fitting, "--")


def start(root, wanted, resume=None):
    directory = run_directory.create(root, wanted)
    run_local(wanted, directory)
    return directory


@pytest.mark.parametrize("name", ["td3", *OFFLINE])
def test_a_run_learns_evaluates_and_saves_a_policy(name, dataset, tmp_path):
    directory = start(tmp_path, make(name, dataset))
    rows = logs.read_evaluations(directory)
    assert [row.grid for row in rows] == [30, 60, 90]
    assert [row.counts for row in rows] == [
        logs.Counts(0, 0, n, 0) for n in (30, 60, 90)
    ]
    saved = checkpoint.newest(directory)
    assert saved.counts == logs.Counts(learner_steps=90)
    action = saved_policy.load_policy(directory)(np.zeros((2, 4), np.float32))
    assert action.shape == (2, 1) and np.all(np.abs(action) <= 1)
    assert len(evaluate_run(directory, episodes=2, seed=1)) == 2
    has_stage = name in STAGED
    assert (directory / "pretraining" / "metrics.csv").exists() == has_stage


def parameters(directory):
    wanted = run_directory.read_experiment(directory)
    spec = build.spec_of(wanted)
    agent = build.make_agent(wanted, spec)
    return checkpoint.load_state(checkpoint.newest(directory), agent).params


@pytest.mark.parametrize("name", ["td3", "ploff"])
def test_a_resumed_run_ends_as_an_uninterrupted_one(name, dataset, tmp_path):
    whole = start(tmp_path / "whole", make(name, dataset))
    part = start(tmp_path / "part", make(name, dataset, steps=45))
    wanted = make(name, dataset)
    run_directory.record_resume(part, wanted)
    run_local(wanted, part, resume=checkpoint.newest(part))
    jax.tree.map(np.testing.assert_array_equal, parameters(whole), parameters(part))
    first, second = (
        [(row.grid, row.returns) for row in logs.read_evaluations(each)]
        for each in (whole, part)
    )
    assert first[-1] == second[-1]


@pytest.mark.parametrize("name", STAGED)
def test_a_run_stopped_in_its_first_stage_goes_on_there(name, dataset, tmp_path):
    """As if it had been killed after the stage's first checkpoint."""
    changes = {"checkpoint.period": 20, "checkpoint.keep": 10}
    whole = start(tmp_path / "whole", make(name, dataset, **changes))
    part = start(tmp_path / "part", make(name, dataset, **changes))
    for root, kept in ((part, "0"), (part / "pretraining", "20")):
        for path in (root / checkpoint.DIRECTORY).iterdir():
            if path.name != kept:
                path.rename(tmp_path / f"{root.name}-{path.name}")
    assert cli.main(["train", "--resume", str(part)]) == 0
    jax.tree.map(np.testing.assert_array_equal, parameters(whole), parameters(part))


def test_a_signal_in_the_first_stage_is_answered_with_how_to_go_on(
    dataset, tmp_path, monkeypatch, capsys
):
    whole = start(tmp_path / "whole", make("ploff", dataset))
    part = run_directory.create(tmp_path / "part", make("ploff", dataset))
    report = stages.Recorder.report

    def stop(recorder, counts, learner):
        report(recorder, counts, learner)
        if counts.learner_steps == 17:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patched:
        patched.setattr(stages.Recorder, "report", stop)
        with pytest.raises(errors.RunStopped, match=f"--resume {part} goes on"):
            wanted = run_directory.read_experiment(part)
            run.run_experiment(wanted, part, "local", preflight.check(wanted))
    assert checkpoint.newest(part / "pretraining").counts.clock == 17
    assert cli.main(["evaluate", str(part)]) == 2  # not the weights that nobody trained
    assert "has not learned a policy yet" in (err := capsys.readouterr().err)
    title = "ploff/hopper-medium seed 0  pretraining"
    assert any(line.startswith(title) for line in err.splitlines())
    assert cli.main(["train", "--resume", str(part)]) == 0
    jax.tree.map(np.testing.assert_array_equal, parameters(whole), parameters(part))


def test_a_signal_in_an_evaluation_leaves_it_to_the_run_that_goes_on(
    dataset, tmp_path, monkeypatch
):
    wanted = make("bc", dataset)
    whole = start(tmp_path / "whole", wanted)
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


def test_a_first_stage_that_saved_nothing_starts_its_logs_again(dataset, tmp_path):
    """As if the run had been killed before the stage's first checkpoint."""
    wanted = make("anti_exploration", dataset)
    callbacks = stages.StageCallbacks(tick=int, stopped=bool)
    spec = build.spec_of(wanted)
    learned = build.make_stages(wanted, spec)
    prepared = load.load_prepared(wanted, spec)
    own, logged_at = tmp_path / "pretraining", []
    for _ in range(2):
        stages.learn_earlier(wanted, tmp_path, learned, prepared, callbacks)
        logged_at.append([row["learner_steps"] for row in catch_runs.metrics(own)])
        shutil.rmtree(own / checkpoint.DIRECTORY)
    assert logged_at[0] == logged_at[1] and logged_at[0][:2] == [15, 30]


def test_building_what_is_looked_up_shows_that_it_moves(dataset, monkeypatch, tmp_path):
    """A search among a million transitions outlasts a watchdog's patience."""
    wanted = make("ploff", dataset)
    spec, ticks = build.spec_of(wanted), list[int]()
    prepared = load.load_prepared(wanted, spec)
    monkeypatch.setattr(neighbours, "BLOCK", 50)
    agent = build.make_agent(wanted, spec)
    params = agent.init(jax.random.key(0)).params
    DatasetBatches(prepared, agent, 0).prepare(params, lambda: ticks.append(1))
    # Of 150 rows: 3 blocks of states, of pairs, 3 or 4 of queries, 1 of last states.
    assert len(ticks) >= 10


def test_the_policy_is_saved_with_the_statistics_of_the_dataset(dataset, tmp_path):
    saved = parameters(start(tmp_path, make("td3", dataset)))["normalizer"]
    assert np.abs(saved["mean"]).max() > 0
    assert np.all(saved["deviation"] != 1)


def test_online_and_offline_runs_do_not_mix(dataset, tmp_path, capsys):
    words = ["--dataset", dataset, "--environment.name", "InvertedPendulum-v5"]
    command = ["train", "td3/hopper", *words, "--runs", str(tmp_path), "--steps", "9"]
    for added, said in (
        (["--actors", "2", "--launch", "threads"], "who learns from a dataset"),
        (["--agent.storage.n_step", "3"], "--agent.storage.n_step 1"),
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
    assert "choose --agent.neighbours between 1 and 150" in error
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
