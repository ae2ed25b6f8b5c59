"""Programs with several learners and replay servers, through the command line."""

import os
import re
import signal
import time

import jax
import numpy as np
import psutil
import pytest

from launch.build import make_agent, spec_of
from launch.runs import checkpoint, run_directory
from launch.runs.logs import read_evaluations
from tests.launch import pendulum_dataset
from tests.whole_runs import catch_commands

pytestmark = [pytest.mark.launchpad, pytest.mark.slow, pytest.mark.timeout(600)]

# Collectives of processes that share two cores take milliseconds: few updates.
SETTINGS = (
    "--learners 2 --replays 2 --agent.storage.samples_per_insert 4 "
    "--agent.storage.min_size 500 --checkpoint.period 1000"
)


def state_of(directory, steps):
    """The leaves of the training state of a run's checkpoint, as numpy arrays."""
    experiment = run_directory.read_experiment(directory)
    agent = make_agent(experiment, spec_of(experiment))
    state = checkpoint.load_state(checkpoint.at(directory, steps), agent)
    state = state._replace(key=jax.random.key_data(state.key))
    return [np.asarray(leaf) for leaf in jax.tree.leaves(state)]


def resume(command, directory, *settings):
    """The output of a run that resumes to its end."""
    name = directory.relative_to(command.directory)
    command.munchausen(f"train --resume {name} {' '.join(settings)}")
    code, out, err = command.wait(300)
    assert code == 0, err
    return out


def test_a_lost_learner_ends_the_program_which_resumes_with_another_number(command):
    command.munchausen(catch_commands.line("processes", SETTINGS))
    directory = catch_commands.await_run(command, catch_commands.saved_steps, "a save")
    other = psutil.Process(command.await_role("munchausen learner/0 "))
    os.kill(command.await_role("munchausen learner/1 "), signal.SIGKILL)
    began = time.monotonic()
    other.wait(30)
    assert time.monotonic() - began < 5
    code, _, err = command.wait(30)
    assert code == 1 and "learner/1 died (signal 9); its last lines, from " in err
    assert not command.alive()
    [saved] = catch_commands.saved_steps(directory)[-1:]
    newest = checkpoint.newest(directory)
    assert newest.extra["replays"] == 2
    assert sorted(path.name for path in newest.replay.iterdir()) == ["0", "1"]
    for learners, steps in ((1, saved + 1_000), (4, saved + 2_000)):
        out = resume(command, directory, f"--learners {learners} --steps {steps}")
        assert re.search(
            f"--learners {learners} .*does not change what the run learns", out
        )
        ended = checkpoint.newest(directory).counts
        assert ended.actor_steps >= steps
        # One update of 32 samples for 8 steps, after the first 500.
        # A snapshot may hold up to 300 steps, those of 0.2 seconds and of the save,
        # that its counters lack; see `test_kill`.
        assert abs(ended.learner_steps - (ended.actor_steps - 500) / 8) < 40
        assert read_evaluations(directory)[-1].grid == steps


def test_another_number_of_replay_servers_is_refused(command):
    command.munchausen(
        catch_commands.line("processes", SETTINGS).replace(
            "--steps 1000000", "--steps 900"
        )
    )
    code, out, err = command.wait(200)
    assert code == 0, err
    [directory] = catch_commands.run_directories(command, out)
    name = directory.relative_to(command.directory)
    command.munchausen(f"train --resume {name} --replays 1 --steps 1200")
    code, _, err = command.wait()
    assert code == 2 and err == (
        "munchausen: --replays cannot change when a run resumes: each replay server "
        "saved its own transitions: train another run\n"
    )


def test_two_learners_of_a_dataset_equal_one(command):
    """Also if one of two goes on with a run that another number began."""
    pendulum_dataset.write(command.directory / "pendulum.hdf5", 90)
    line = (
        "train td3_bc/hopper-medium --dataset pendulum.hdf5 --launch processes "
        "--environment.name InvertedPendulum-v5 --agent.network.hidden 13 "
        "--agent.batch_size 8 --evaluation.period 30 --evaluation.episodes 2 "
        "--checkpoint.period 20 --checkpoint.keep 9 --log_period 10"
    )
    states = {}
    for learners in (1, 2):
        command.munchausen(f"{line} --steps 60 --learners {learners}")
        code, out, err = command.wait(200)
        assert code == 0, err
        [directory] = catch_commands.run_directories(command, out)
        assert catch_commands.saved_steps(directory) == [0, 20, 40, 60]
        states[learners] = state_of(directory, 60)
    out = resume(command, directory, "--launch processes --learners 1 --steps 80")
    assert len(states[1]) > 9
    for one, two in zip(states[1], states[2], strict=True):
        np.testing.assert_allclose(one, two, rtol=0, atol=1e-6)
    assert catch_commands.saved_steps(directory) == [0, 20, 40, 60, 80]
