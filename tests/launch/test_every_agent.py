"""Every agent runs in every way of running, from the command line."""

import pytest

from agents import REGISTRY
from launch import checkpoint
from launch.logs import read_evaluations

LINE = (
    "--steps 400 --log_period 100 --evaluation.period 200 --evaluation.episodes 3 "
    "--agent.network.hidden 16"
)
# Catch and Hopper; with Hopper's settings the first 10,000 steps would be random.
TASKS = {
    "discrete": "catch",
    "continuous": "hopper --agent.exploration.start 100 --agent.storage.min_size 100 "
    "--agent.storage.batch_size 32 --agent.storage.samples_per_insert 32",
}


@pytest.mark.slow
@pytest.mark.launchpad
@pytest.mark.parametrize("mode", ["local", "threads", "processes"])
@pytest.mark.parametrize("agent", sorted(REGISTRY))
def test_it_acts_learns_and_is_evaluated(command, agent, mode):
    line = f"train {agent}/{TASKS[REGISTRY[agent].actions]} {LINE} --launch {mode}"
    code, out, err = command.munchausen(line).wait(110)
    assert code == 0, err
    [name] = [line for line in out.splitlines() if line.startswith("runs/")]
    directory = command.directory / name
    last = read_evaluations(directory)[-1]
    assert last.grid == 400 and len(last.returns) == 3
    saved = checkpoint.newest(directory)
    assert saved.counts.actor_steps >= 400 and saved.counts.learner_steps > 200
    assert not command.alive()
