"""Figures: variants of one task."""

from experiments.catalogue import figure
from experiments.catalogue.figure import Variant
from experiments.catalogue.tasks import TASKS


def test_variants_are_named_after_the_figure_and_differ_in_settings():
    made = figure.make(
        "toy/catch",
        TASKS["catch"],
        {"dqn": Variant("dqn"), "hot": Variant("mdqn", {"temperature": 0.5})},
        seeds=7,
    )
    assert list(made.variants) == ["toy/catch_dqn", "toy/catch_hot"]
    assert (made.seeds, made.description) == (7, TASKS["catch"].description)
    hot = made.experiments["toy/catch_hot"]
    assert (hot.agent_name, hot.agent.temperature) == ("mdqn", 0.5)
    assert hot.steps == made.experiments["toy/catch_dqn"].steps == TASKS["catch"].steps
