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
    "catch minatar-asterix minatar-breakout minatar-freeway minatar-seaquest "
    "minatar-space-invaders maze".split(),
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


@pytest.mark.parametrize("agent_name", ["dqn", "mdqn"])
def test_minatar_is_as_in_deep_variance_weighting(agent_name):
    experiment = EXPERIMENTS[f"{agent_name}/minatar-space-invaders"]
    environment, agent = experiment.environment, experiment.agent
    assert (environment.game, environment.sticky_actions) == ("space_invaders", 0.1)
    assert environment.difficulty_ramping and not environment.minimal_actions
    assert (experiment.steps, environment.episode_steps) == (10_000_000, 10_000)
    assert (experiment.evaluation.period, experiment.evaluation.lockstep) == (
        100_000,
        True,
    )
    assert (agent.loss, agent.discount, agent.target_update_period * 4) == (
        "squared",
        0.99,
        1_000,
    )
    assert (agent.optimizer.learning_rate, agent.optimizer.epsilon) == (2.5e-4, 1e-8)
    storage = agent.storage
    assert (storage.capacity, storage.min_size, storage.batch_size) == (
        100_000,
        10_000,
        32,
    )
    assert storage.samples_per_insert == storage.batch_size / 4 and storage.n_step == 1
    schedule = agent.exploration
    assert (schedule.initial, schedule.final, schedule.evaluation) == (1.0, 0.1, 0.0)
    assert (schedule.start, schedule.decay_steps) == (0, 1_000_000)


def test_the_constants_of_mdqn_there_are_our_defaults():
    """Deep Variance Weighting gives the KL's coefficient and the entropy's."""
    agent = EXPERIMENTS["mdqn/minatar-asterix"].agent
    assert agent.temperature == pytest.approx(0.027 + 0.003)
    assert agent.munchausen == pytest.approx(0.027 / (0.027 + 0.003))
    assert agent.log_policy_floor == -1.0
