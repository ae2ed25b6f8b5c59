"""Momentum DQN on CartPole: values of beta."""

from experiments.catalogue import dopamine
from experiments.papers import momentum

NAME = "momentum/cartpole"
[FIGURE] = momentum.FIGURES


def test_variants_have_the_settings_in_their_names():
    made = dict(FIGURE.experiments)
    assert FIGURE.name == NAME and FIGURE.seeds == 5
    betas = [
        made[f"{NAME}_beta_{beta}"].agent.averaging for beta in ("0.5", "0.9", "0.99")
    ]
    assert betas == [0.5, 0.9, 0.99]
    assert made[f"{NAME}_decaying"].agent.schedule == "decaying"
    assert {each.agent.loss for each in made.values()} == {"squared"}


def test_all_variants_use_dopamines_cartpole():
    for each in FIGURE.experiments.values():
        assert each.steps == dopamine.CARTPOLE.steps == 500_000
        assert each.environment.name == "CartPole-v1"
        assert each.agent.optimizer.learning_rate == 1e-3
        assert each.agent.storage.batch_size == 128
