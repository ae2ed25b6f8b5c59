"""Offline runs as Launchpad programs, through the command line."""

import signal

import pytest

from launch.policies import saved_policy
from launch.runs import checkpoint
from launch.runs.logs import Counts, read_evaluations
from tests.launch import pendulum_dataset
from tests.whole_runs import catch_commands

pytestmark = pytest.mark.launchpad

LINE = (
    "train ploff/hopper-medium --dataset pendulum.hdf5 "
    "--environment.name InvertedPendulum-v5 --agent.network.hidden 13 "
    "--agent.embedding_size 3 --agent.neighbours 4 --agent.batch_size 7 "
    "--agent.pretraining_steps 150 --evaluation.episodes 2 --log_period 50"
)


@pytest.fixture
def prepared(command):
    pendulum_dataset.write(command.directory / "pendulum.hdf5", 90)
    return command


def roles(command):
    words = [title.split() for title in command.alive().values()]
    return {found[1] for found in words if found[:1] == ["munchausen"]}


def check(directory, steps):
    rows = read_evaluations(directory)
    assert rows[-1].grid == steps and len(rows[-1].returns) == 2
    assert rows[-1].counts == Counts(learner_steps=steps)
    assert checkpoint.newest(directory).counts == Counts(learner_steps=steps)
    assert checkpoint.newest(directory / "pretraining").counts.learner_steps == 150
    learnt = [row for row in catch_commands.metrics(directory) if "critic_loss" in row]
    assert learnt and saved_policy.load_policy(directory) is not None


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["processes", "threads"])
def test_a_program_learns_stage_after_stage_to_the_end(prepared, mode):
    line = f"{LINE} --steps 400 --evaluation.period 200 --launch {mode}"
    prepared.munchausen(line)
    seen = set()
    for _ in prepared.patiently(100, "the end"):
        seen |= roles(prepared)
        if prepared.process.poll() is not None:
            break
    code, out, err = prepared.wait()
    assert code == 0, err
    assert "seed 0  pretraining  150/150 steps" in err
    assert not prepared.alive()
    if mode == "processes":
        assert {"coordinator", "learner", "evaluator"} <= seen
        assert not any(role.startswith(("actor", "replay")) for role in seen)
    [directory] = catch_commands.run_directories(prepared, out)
    check(directory, 400)


@pytest.mark.slow
def test_a_program_that_is_stopped_can_be_resumed_in_either_mode(prepared):
    line = f"{LINE} --steps 1000000 --evaluation.period 200 --launch processes"
    prepared.munchausen(line)
    directory = catch_commands.await_run(
        prepared, catch_commands.is_evaluated, "an evaluation"
    )
    prepared.process.send_signal(signal.SIGTERM)
    code, _, err = prepared.wait()
    assert code == 75, err
    done = checkpoint.newest(directory).counts.learner_steps
    assert done > 0 and not prepared.alive()
    for mode, steps in (("processes", done + 300), ("local", done + 400)):
        line = f"train --resume {directory} --steps {steps} --launch {mode}"
        code, _, err = prepared.munchausen(line).wait()
        assert code == 0, err
        check(directory, steps)
