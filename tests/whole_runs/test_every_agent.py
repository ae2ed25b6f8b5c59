"""Every agent runs in every way of running, from the command line."""

import pytest

from agents import REGISTRY
from launch.runs import checkpoint
from launch.runs.logs import read_evaluations
from tests.launch import pendulum_dataset

STEPS = 400
LINE = (
    f"--steps {STEPS} --log_period 100 --evaluation.period 200 --evaluation.episodes 3 "
    "--agent.network.hidden 16"
)
# Catch and Hopper; with Hopper's settings the first 10,000 steps would be random.
TASKS = {
    "discrete": "catch",
    "continuous": "hopper --agent.exploration.start 100 --agent.storage.min_size 100 "
    "--agent.storage.batch_size 32 --agent.storage.samples_per_insert 32",
}
OFFLINE = "hopper --environment.name InvertedPendulum-v5 --dataset pendulum.hdf5"


def task(name):
    """The rest of a command line that is quick."""
    recipe = REGISTRY[name]
    if not recipe.dataset:
        return TASKS[recipe.actions]
    staged = hasattr(recipe.config, "pretraining_steps")
    return OFFLINE + " --agent.pretraining_steps 100" * staged


@pytest.mark.slow
@pytest.mark.launchpad
@pytest.mark.parametrize("mode", ["local", "threads", "processes"])
@pytest.mark.parametrize("agent", sorted(REGISTRY))
def test_an_agent_learns_and_is_evaluated(command, agent, mode):
    pendulum_dataset.write(command.directory / "pendulum.hdf5", 300)
    line = f"train {agent}/{task(agent)} {LINE} --launch {mode}"
    code, out, err = command.munchausen(line).wait(110)
    assert code == 0, err
    [name] = [line for line in out.splitlines() if line.startswith("runs/")]
    directory = command.directory / name
    last = read_evaluations(directory)[-1]
    assert last.grid == STEPS and len(last.returns) == 3
    saved = checkpoint.newest(directory)
    assert saved.counts.clock >= STEPS and saved.counts.learner_steps > STEPS / 2
    assert not command.alive()
