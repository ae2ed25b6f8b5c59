"""The figures of BOND and J-BOND: names, and what their runs share."""

import dataclasses

from experiments import names
from experiments.papers import bond, warp


def test_names_of_bond_have_its_samples_and_weight():
    for n in (4, 8):
        for beta in (0, 0.5, 1):
            agent = names.EXPERIMENTS[f"bond/anchors_n{n}_beta_{beta:.1f}"].agent
            found = agent.best_of, agent.backward_weight, agent.anchor_step_size
            assert found == (n, beta, 0)
            assert agent.quantile_samples == 16


def test_the_iterated_anchor_becomes_the_policy():
    agent = names.EXPERIMENTS["bond/anchors_iterated"].agent
    assert (agent.best_of, agent.anchor_step_size, agent.anchor_period) == (2, 1, 100)


def test_each_paper_lists_its_own_figures():
    """Two names, `bond` and `jbond`, share a module."""
    listed = [name for name in names.FIGURES if "bond" in name]
    assert listed == ["bond/anchors", "jbond/anchors"]
    assert "bond/anchors_eta_0.02" not in names.EXPERIMENTS


def test_variants_have_the_anchor_in_their_names():
    found = {
        name.removeprefix("jbond/anchors_"): (
            each.agent.anchor_step_size,
            each.agent.regularization,
        )
        for name, each in bond.J_BOND.experiments.items()
    }
    assert found == {"eta_0.02": (0.02, 0), "eta_0.05": (0.05, 0), "gamma_1": (0.02, 1)}


def test_the_runs_with_a_fixed_anchor_differ_in_the_agent_only():
    fixed = warp.FIGURE.experiments["warp/anchors_sft_0.1"]
    for each in bond.J_BOND.experiments.values():
        assert each.agent.optimizer == fixed.agent.optimizer
        assert each.agent.network == fixed.agent.network
        assert each.agent.batch_size == fixed.agent.batch_size
        assert each.initial == {**fixed.initial, "anchor": "sft/preferences"}
        same = ("name", "agent_name", "agent", "initial", "description")
        assert (
            dataclasses.replace(each, **{name: getattr(fixed, name) for name in same})
            == fixed
        )
