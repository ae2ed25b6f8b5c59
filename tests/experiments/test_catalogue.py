"""The named experiments: all that were promised, and as the papers have them."""

import pytest

from experiments.names import EXPERIMENTS
from launch import config, logs
from launch.experiment import Experiment


@pytest.mark.parametrize("name", sorted(EXPERIMENTS))
def test_every_experiment_survives_its_configuration_file(name, tmp_path):
    experiment = EXPERIMENTS[name]
    assert isinstance(experiment, Experiment) and experiment.name == name
    directory = logs.create(tmp_path / "runs", experiment)
    assert logs.read_experiment(directory) == experiment
    assert config.read_experiment(config.to_plain(experiment)) == experiment


@pytest.mark.parametrize("agent_name", ["dqn", "mdqn"])
@pytest.mark.parametrize(
    "task_name",
    "pong pong-cpu breakout atari cartpole acrobot mountaincar lunarlander "
    "catch".split(),
)
def test_the_promised_experiments_exist(agent_name, task_name):
    assert EXPERIMENTS[f"{agent_name}/{task_name}"].agent_name == agent_name


def test_atari_is_the_papers():
    experiment = EXPERIMENTS["mdqn/pong"]
    agent = experiment.agent
    assert experiment.steps == 50_000_000  # 200 million frames
    assert (agent.temperature, agent.munchausen, agent.log_policy_floor) == (
        0.03,
        0.9,
        -1.0,
    )
    assert (agent.optimizer.learning_rate, agent.optimizer.epsilon) == (5e-5, 3.125e-4)
    assert agent.target_update_period == 2_000
    assert (agent.storage.capacity, agent.storage.min_size) == (1_000_000, 20_000)
    assert experiment.environment.protocol == "dopamine"
