"""The tasks have the papers' settings."""

from typing import get_args

import pytest

import agents
from environments import minatar
from experiments.catalogue import experiments
from experiments.catalogue.experiments import Named
from experiments.catalogue.tasks import MINATAR_GAMES, Environment, Task
from experiments.names import EXPERIMENTS
from launch.experiment import Evaluation


def test_agents_have_the_fields_that_tasks_set_for_some():
    def has(agent_name, field):
        return hasattr(agents.REGISTRY[agent_name].default(), field)

    for agent_name, recipe in agents.REGISTRY.items():
        quantiles = agent_name in experiments.QUANTILE_AGENTS
        assert has(agent_name, "online_fractions") == quantiles
        assert has(agent_name, "target_fractions") == quantiles
        fixed = quantiles or agent_name in experiments.FIXED_LOSS_AGENTS
        if recipe.actions == "discrete":
            assert has(agent_name, "loss") == (not fixed)


@pytest.mark.parametrize(
    "kind, settings, message",
    [
        ("Catch", {"discuont": 0.9}, "unknown field agent.discuont"),
        ("Cach", {}, "got 'Cach'"),
    ],
)
def test_a_mistake_in_a_task_is_an_error(kind, settings, message):
    task = Task("", Environment(kind), 10, Evaluation(), settings)
    with pytest.raises(ValueError, match=message):
        Named("dqn/catch", "dqn", task).experiment()


def test_every_game_of_minatar_has_a_task():
    assert MINATAR_GAMES == get_args(minatar.GameName)


def test_atari_has_the_papers_settings():
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
def test_minatar_has_the_settings_of_deep_variance_weighting(agent_name):
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


def test_deep_variance_weightings_mdqn_has_our_default_constants():
    """Deep Variance Weighting gives the KL's coefficient and the entropy's."""
    agent = EXPERIMENTS["mdqn/minatar-asterix"].agent
    assert agent.temperature == pytest.approx(0.027 + 0.003)
    assert agent.munchausen == pytest.approx(0.027 / (0.027 + 0.003))
    assert agent.log_policy_floor == -1.0
