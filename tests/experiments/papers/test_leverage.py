"""Leverage the Average: the trained figures and grids."""

import pytest

from agents.parts import networks, sgd
from experiments.names import FIGURES, GRIDS


@pytest.mark.parametrize("name", ["leverage/cartpole", "leverage/lunarlander"])
def test_leverage_has_the_papers_settings(name):
    figure = FIGURES[name]
    assert figure.seeds == 10
    period = 25 if name == "leverage/cartpole" else 625
    for experiment in figure.experiments.values():
        agent, storage = experiment.agent, experiment.agent.storage
        assert experiment.steps == 500_000
        assert experiment.environment.protocol == "dopamine"
        assert agent.target_update_period == period
        assert agent.discount == 0.99
        assert agent.network.hidden == (512, 512)
        assert (agent.optimizer.learning_rate, agent.optimizer.epsilon) == (
            1e-3,
            3.125e-4,
        )
        assert (storage.capacity, storage.batch_size) == (50_000, 128)
        assert storage.samples_per_insert / storage.batch_size == 1 / 4
        assert (agent.exploration.initial, agent.exploration.final) == (0.01, 0.01)


def test_leverage_has_every_variant():
    wanted = (
        "dqn mdqn momentum_dqn md_direct md_indirect dual_averaging deep_cpi soft_dqn"
    )
    expected = [f"leverage/cartpole_{name}" for name in wanted.split()]
    assert list(FIGURES["leverage/cartpole"].experiments) == expected


@pytest.mark.parametrize("game", ["asterix", "breakout", "seaquest"])
def test_the_games_have_the_papers_settings_and_small_ones(game):
    figure = FIGURES[f"leverage/{game}"]
    assert figure.seeds == 3
    agents = "dqn mdqn momentum_dqn md_direct md_indirect dual_averaging".split()
    assert list(figure.experiments) == [f"{figure.name}_{name}" for name in agents]
    for experiment in figure.experiments.values():
        agent, storage = experiment.agent, experiment.agent.storage
        assert experiment.steps == 50_000_000  # 200,000,000 frames
        assert experiment.environment.game == game
        assert agent.optimizer == sgd.RMSPROP
        assert agent.network == networks.Config("nature_padded", (512,))
        assert agent.target_update_period * storage.batch_size == 8_000 * 8
        assert (storage.capacity, storage.batch_size) == (1_000_000, 32)
        assert storage.samples_per_insert / storage.batch_size == 1 / 4
        assert (storage.n_step, agent.exploration.decay_steps) == (1, 250_000)
    for name in ("md_direct", "md_indirect", "dual_averaging"):
        agent = figure.experiments[f"{figure.name}_{name}"].agent
        assert (agent.kl_weight, agent.temperature) == (0.027, 0.003)
    small = FIGURES[f"leverage/{game}-cpu"]
    for experiment in small.experiments.values():
        assert (experiment.steps, experiment.environment.game) == (1_000_000, game)
        assert experiment.agent.network == networks.Config("dqn2013", (256,))
        assert experiment.agent.storage.n_step == 1


def test_the_grid_has_a_heat_map_for_each_way_to_fit_the_policy():
    grid = GRIDS["leverage/cartpole_grid"]
    names = ("md_direct", "md_indirect", "dual_averaging")
    assert grid.experiments == tuple(f"leverage/cartpole_{name}" for name in names)
    assert grid.flags["seeds"] == "10"
