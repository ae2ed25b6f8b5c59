"""Figures of inverse RL: variants differ in their terms and prompts only."""

import dataclasses

from experiments.papers import inverse_rl


def test_variants_have_the_terms_in_their_names():
    weights, _ = inverse_rl.FIGURES
    assert len(weights.experiments) == 7
    for name, each in weights.experiments.items():
        term, _, value = name.removeprefix("inverse_rl/weights_").partition("_")
        squares = {"td": value, "online": 0.1}.get(term, 0)
        assert each.agent.td_weight == float(squares)
        assert each.agent.policy_share == (float(value) if term == "online" else 0)
        assert each.agent.entropy_weight == (float(value) if term == "entropy" else 0)
        assert each.agent.evaluation_temperature == 1.0
    [_] = {each.environment for each in weights.experiments.values()}


def test_each_loss_learns_from_few_and_from_all_prompts():
    _, data = inverse_rl.FIGURES
    prompts = {
        name: each.environment.prompts for name, each in data.experiments.items()
    }
    assert prompts == {
        f"inverse_rl/data_{term}-{amount}": number
        for amount, number in (("few", 500), ("all", 5_000))
        for term in ("likelihood", "td_0.1", "online_0.1", "entropy_0.1")
    }
    others = {
        dataclasses.replace(each.environment, prompts=0)
        for each in data.experiments.values()
    }
    assert len(others) == 1
    assert {
        each.agent.evaluation_temperature for each in data.experiments.values()
    } == {0}
