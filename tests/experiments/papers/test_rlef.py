"""The figure of RLEF: variants differ in the weight of the KL term only."""

import dataclasses

from experiments.papers import rlef


def test_variants_have_the_weights_in_their_names():
    found = dict(rlef.FIGURE.experiments)
    first = found.pop("rlef/weights_sft")
    assert first.agent_name == "sft" and first.steps == 4 * rlef.STEPS
    assert len(found) == 4
    for name, each in found.items():
        weight = float(name.removeprefix("rlef/weights_alpha_"))
        assert each.agent.kl_weight == weight
        names = ("policy", "value", "sft")
        assert each.initial == dict.fromkeys(names, first.name)
        assert each.environment == first.environment
    [_] = {dataclasses.replace(each.agent, kl_weight=0.0) for each in found.values()}
    [steps] = {each.steps / each.agent.batch_size for each in found.values()}
    assert steps == 1_500
