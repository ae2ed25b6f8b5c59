"""`train --initial.<network>`: what is trained first, and what is refused before."""

import dataclasses
from pathlib import Path

import jax
import numpy as np
import pytest

from experiments import cli, flags, names
from experiments.catalogue.experiments import EXPERIMENTS
from experiments.catalogue.lazy import Joined
from experiments.verbs import train_initial, train_runs
from experiments.verbs.initial_sources import Source
from launch.policies import saved_policy
from launch.runs import existing_runs, initial_networks, run_directory
from tests.launch.local_runs import run_new

TINY = {
    "name": "dqn/tiny",
    "steps": 90,
    "evaluation.period": 90,
    "evaluation.episodes": 2,
    "agent.network.hidden": (9,),
    "agent.storage.min_size": 40,
}
# Too few steps for an update: a run ends with the weights with which it began.
LINE = (
    "train mdqn/catch --initial.q dqn/tiny --steps 60 --evaluation.period 60 "
    "--evaluation.episodes 2 --agent.storage.min_size 1_000 --agent.storage.capacity "
    "1_000"
)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """An empty directory, and an experiment that ends within a second."""
    monkeypatch.chdir(tmp_path)
    tiny = flags.replace(EXPERIMENTS["dqn/catch"], TINY)
    monkeypatch.setattr(names, "EXPERIMENTS", Joined({"dqn/tiny": tiny}, EXPERIMENTS))
    return tmp_path


def runs_of(name, seed):
    return sorted(Path("runs", name).glob(f"seed{seed}-*"))


def parameters(directory):
    return jax.tree.leaves(saved_policy.load(directory)[2])


@pytest.fixture
def in_this_process(monkeypatch):
    """Runs what gives weights without a process of its own."""
    run = train_runs.run

    def run_here(plan):
        [first, *_] = plan.experiments
        if first.name == "mdqn/catch":
            return run(plan)
        for entry in existing_runs.find(plan.options.runs, plan.experiments):
            run_new(plan.options.runs, entry.experiment)
        return 0

    monkeypatch.setattr(train_runs, "run", run_here)


def test_a_named_experiment_is_trained_first_with_the_same_seed(
    in_this_process, capsys
):
    assert cli.main([*LINE.split(), "--seed", "4"]) == 0
    out = capsys.readouterr().out
    assert "first, runs that give weights: 1" in out
    [tiny] = runs_of("dqn/tiny", 4)
    [own] = runs_of("mdqn/catch", 4)
    for left, right in zip(parameters(tiny), parameters(own), strict=True):
        np.testing.assert_array_equal(left, right)
    [origin] = run_directory.read_experiment(own).origins
    assert origin.path == str((tiny / "checkpoints" / "90").absolute())
    # The finished run is found again, also by a run with its own directory.
    line = f"{LINE} --seed 4 --run_directory here --resume auto"
    assert cli.main(line.split()) == 0
    assert "give weights" not in capsys.readouterr().out
    assert len(runs_of("dqn/tiny", 4)) == 1
    assert run_directory.read_experiment("here").origins == (origin,)
    assert cli.main(line.split()) == 0
    assert capsys.readouterr().out.startswith("here is complete")


@pytest.fixture
def trained(monkeypatch):
    """Notes plans instead of running them."""
    plans = []
    monkeypatch.setattr(train_runs, "run", lambda plan: plans.append(plan) or 0)
    return plans


@pytest.mark.parametrize(
    "line, said",
    [
        (
            f"{LINE} --agent.network.hidden 8",
            "--initial.q must fit mdqn/catch: params/Dense_0/kernel must be [8, 3] "
            "float32, but in q of dqn/tiny it is [9, 3] float32",
        ),
        (
            LINE.replace("initial.q", "initial.teacher"),
            "--initial.teacher must name a network of dqn/tiny with #q, got none, and "
            "it has neither teacher nor policy",
        ),
        (
            LINE.replace("dqn/tiny", "dqn/tiny#policy"),
            "--initial.q must name a network of dqn/tiny with #q, got 'policy'",
        ),
        (
            LINE.replace("initial.q dqn/tiny", "initial.teacher dqn/tiny#q"),
            "--initial.teacher must name a network of mdqn: one of q",
        ),
        (f"{LINE} --actors 2", "a local run has one actor, got --actors 2"),
        (
            "train f_distillation/markov --agent.alpha 2 --initial.teacher "
            "f_divergence/markov-teacher#policy",
            "--initial.teacher must have learned with --agent.alpha 2.0, as "
            "f_distillation/markov does, but f_divergence/markov-teacher has 1.5: "
            "choose another run, or add --agent.alpha 1.5",
        ),
        (  # `policy` has these weights, too, but the user gave `sft`
            "train warp/preferences --initial.sft sft/arithmetic",
            "--initial.sft must have the vocabulary of warp/preferences, ",
        ),
    ],
)
def test_nothing_is_trained_before_all_is_checked(line, said, trained, capsys):
    assert cli.main(line.split()) == 2
    [error] = capsys.readouterr().err.splitlines()
    assert said in error
    assert trained == []


def test_another_task_of_the_first_weights_is_named(trained, capsys):
    line = "train gkd/arithmetic --environment.digits 3 --initial.teacher sft/text"
    assert cli.main(line.split()) == 2
    line = line.replace("sft/text", "sft/arithmetic-teacher#policy")
    assert cli.main(line.split()) == 2  # nothing was trained
    note, _ = capsys.readouterr().out.splitlines()
    assert note == (
        "--initial.teacher: sft/arithmetic-teacher learned with --environment.digits "
        "2, this run has 3"
    )


def test_another_network_of_equal_shape_is_named(trained, capsys):
    line = "train gkd/arithmetic --agent.network.final_cap 3 --agent.network.remat true"
    assert cli.main(line.split()) == 2
    note, _ = capsys.readouterr().out.splitlines()
    assert note == (
        "--initial.policy: sft/arithmetic learned with --agent.network.final_cap 0.0, "
        "this run has 3.0"
    )


def test_a_figure_trains_each_source_of_each_seed_once(trained, monkeypatch, capsys):
    assert cli.main([*LINE.split(), "--seeds", "2", "--actors_at_least", "1"]) == 2
    [plan] = trained
    assert [each.seed for each in plan.experiments] == [0, 1]
    assert {each.name for each in plan.experiments} == {"dqn/tiny"}
    assert plan.continued
    assert "but dqn/tiny seed 0 is missing" in capsys.readouterr().err


def test_a_run_that_is_not_finished_is_refused_and_one_is_found_by_its_directory(
    trained, capsys
):
    tiny = dataclasses.replace(names.EXPERIMENTS["dqn/tiny"], seed=2)
    directory = run_directory.create("elsewhere", tiny)
    line = LINE.replace("dqn/tiny", str(directory))
    assert cli.main(line.split()) == 2
    assert "must be finished, but" in capsys.readouterr().err
    assert trained == []
    assert existing_runs.find("elsewhere", [tiny])[0].state == "cut short"


@pytest.mark.parametrize("other, told", [("two.npz", True), ("sub/../one.npz", False)])
def test_weights_that_learned_from_other_inputs_are_told(
    other, told, tmp_path, monkeypatch, capsys
):
    """Observations are normalised with the statistics of the run's own dataset."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    one = EXPERIMENTS["bc/halfcheetah"]
    one = dataclasses.replace(one, dataset="one.npz")
    learned = initial_networks.learned_by(one)
    source = Source(learned, "policy", Path("run"))
    train_initial._print_differences(
        dataclasses.replace(one, dataset=other), {"policy": source}
    )
    said = capsys.readouterr().out
    assert ("normalised its observations with one.npz, this run" in said) == told
    assert told or said == ""
