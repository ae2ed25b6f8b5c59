"""Leverage the Average: the trained figure."""

import pytest

from experiments.names import FIGURES


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
