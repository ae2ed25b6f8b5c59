"""The figure of WARP: variants differ in their anchor only."""

import dataclasses

from experiments.papers import warp


def test_variants_have_the_weights_in_their_names():
    found = warp.FIGURE.experiments
    assert len(found) == 6
    for name, each in found.items():
        kind, _, value = name.removeprefix("warp/anchors_").partition("_")
        own = each.agent.anchor_weight, each.agent.anchor_step_size
        assert own == ((0.1, 0.02) if kind == "ema" else (float(value), 0.0))
        assert each.initial == {"policy": "sft/preferences", "sft": "sft/preferences"}
    [_] = {
        dataclasses.replace(each.agent, anchor_weight=0.0, anchor_step_size=0.0)
        for each in found.values()
    }


def test_a_run_takes_1500_updates():
    [steps] = {
        each.steps / each.agent.batch_size for each in warp.FIGURE.experiments.values()
    }
    assert steps == 1_500
