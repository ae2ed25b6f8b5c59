"""Deep CPI on CartPole: mixture rates."""

from experiments.catalogue import dopamine
from experiments.papers import deep_cpi

NAME = "cpi/cartpole"
[FIGURE] = deep_cpi.FIGURES


def test_variants_have_the_settings_in_their_names():
    made = dict(FIGURE.experiments)
    assert FIGURE.name == NAME and FIGURE.seeds == 5
    rates = [
        made[f"{NAME}_rate_{rate}"].agent.mixing_rate for rate in ("0.1", "0.3", "1")
    ]
    assert rates == [0.1, 0.3, 1.0]
    adaptive = made[f"{NAME}_adaptive"].agent
    assert adaptive.adaptive and not made[f"{NAME}_rate_1"].agent.adaptive
    assert {each.agent.loss for each in made.values()} == {"squared"}


def test_all_variants_use_dopamines_cartpole():
    for each in FIGURE.experiments.values():
        assert each.steps == dopamine.CARTPOLE.steps == 500_000
        assert each.environment.name == "CartPole-v1"
        assert each.agent.optimizer.learning_rate == 1e-3
        assert each.agent.storage.batch_size == 128
