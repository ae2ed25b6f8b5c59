"""Distillation on small tasks: who teaches whom, and equal budgets."""

import pytest

from experiments.names import EXPERIMENTS
from experiments.papers import gkd
from experiments.verbs import initial_sources


@pytest.mark.parametrize("figure", gkd.FIGURES, ids=lambda figure: figure.name)
def test_students_of_a_size_begin_alike_and_learn_equally_long(figure):
    made = dict(figure.experiments)
    teacher = f"{figure.name}_teacher"
    assert made[teacher].agent.network.width == 128
    later = [each for each in made.values() if each.initial]
    assert len(later) == len(made) - len({each.initial["policy"] for each in later}) - 1
    for each in later:
        student = made[each.initial["policy"]]
        assert each.agent.network == student.agent.network
        assert each.initial.get("teacher", teacher) == teacher
        assert (each.agent_name == "sft") == ("teacher" not in each.initial)
        assert each.steps == 2_000 * each.agent.batch_size == 64_000
        assert each.agent.optimizer.learning_rate == 1e-3
        # A figure's settings are those that its first weights bring along.
        assert initial_sources.adopted(each) == each


def test_variants_have_the_settings_in_their_names():
    made = dict(gkd.SIZES_FIGURE.experiments)
    size = "gkd/sizes_{}-2x48"
    assert made[size.format("on_policy")].agent.on_policy == 1.0
    assert made[size.format("mixed")].agent.on_policy == 0.5
    assert made[size.format("supervised_kd")].agent.on_policy == 0.0
    assert made[size.format("seq_kd")].agent.source == "teacher"
    network = made[size.format("sft")].agent.network
    assert (network.layers, network.width) == (2, 48)
    few = EXPERIMENTS["gkd/data_on_policy-few"].environment.prompts
    assert few == 0.05 * EXPERIMENTS["gkd/data_supervised_kd-all"].environment.prompts
    greedy = EXPERIMENTS["gkd/divergences_jsd_0.9-greedy"].agent
    sampled = EXPERIMENTS["gkd/divergences_jsd_0.9-sampled"].agent
    assert (greedy.divergence, greedy.beta) == ("jsd", 0.9)
    assert (greedy.evaluation_temperature, sampled.evaluation_temperature) == (0, 1)
