"""The figure of J-BOND is comparable with the fixed anchors of WARP's."""

import dataclasses

from experiments.papers import jbond, warp


def test_variants_have_the_anchor_in_their_names():
    found = {
        name.removeprefix("jbond/anchors_"): (
            each.agent.anchor_step_size,
            each.agent.regularization,
        )
        for name, each in jbond.FIGURE.experiments.items()
    }
    assert found == {"eta_0.02": (0.02, 0), "eta_0.05": (0.05, 0), "gamma_1": (0.02, 1)}


def test_the_runs_with_a_fixed_anchor_differ_in_the_agent_only():
    fixed = warp.FIGURE.experiments["warp/anchors_sft_0.1"]
    for each in jbond.FIGURE.experiments.values():
        assert each.agent.optimizer == fixed.agent.optimizer
        assert each.agent.network == fixed.agent.network
        assert each.agent.batch_size == fixed.agent.batch_size
        assert each.initial == {**fixed.initial, "anchor": "sft/preferences"}
        same = ("name", "agent_name", "agent", "initial", "description")
        assert (
            dataclasses.replace(each, **{name: getattr(fixed, name) for name in same})
            == fixed
        )
