"""A language agent's generation and updates, each next to the same alone."""

import pytest

from experiments import flags
from experiments.benchmarks import language
from experiments.catalogue.experiments import EXPERIMENTS
from tests.experiments.benchmarks.measured_figures import check

TINY = flags.replace(
    EXPERIMENTS["sft/arithmetic"],
    {
        "agent.batch_size": 3,
        "agent.network.width": 8,
        "agent.network.layers": 1,
        "environment.digits": 1,
    },
)


@pytest.mark.slow
@pytest.mark.reverb
# TensorFlow 2.8 is older than NumPy's deprecations.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_actors_and_learners_are_measured_with_both_queues():
    measured = language.language(TINY, 0.01)
    check(measured, ["tokens/s"] * 2 + ["steps/s"] * 2)
    assert [one.least for one in measured] == [0.8, 0.8, 0.9, 0.9]
