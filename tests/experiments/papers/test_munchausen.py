"""Munchausen agents on CartPole, in the settings of the authors' code."""

from experiments.catalogue import dopamine
from experiments.papers import munchausen

NAME = "munchausen/cartpole"
[FIGURE] = munchausen.FIGURES


def test_variants_have_the_settings_in_their_names():
    made = dict(FIGURE.experiments)
    assert FIGURE.name == NAME and FIGURE.seeds == 5
    agents = {name.removeprefix(f"{NAME}_"): each.agent for name, each in made.items()}
    assert agents["soft_dqn"].munchausen == 0 < agents["mdqn"].munchausen == 0.9
    assert agents["advantage_learning"].temperature == 0 < agents["mdqn"].temperature
    assert agents["iqn"].online_fractions == agents["miqn"].online_fractions == 8
    assert {agents[name].loss for name in ("dqn", "mdqn")} == {"huber"}


def test_all_variants_use_dopamines_cartpole():
    for each in FIGURE.experiments.values():
        assert each.steps == dopamine.CARTPOLE.steps == 500_000
        assert each.environment.name == "CartPole-v1"
        assert each.agent.optimizer.learning_rate == 1e-3
        assert each.agent.storage.batch_size == 128
