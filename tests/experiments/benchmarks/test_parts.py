"""The parts of a run, each measured alone."""

import pytest

from experiments import flags
from experiments.benchmarks import measure, parts
from experiments.catalogue.experiments import EXPERIMENTS
from tests.experiments.benchmarks.measured_figures import check

TINY = flags.replace(
    EXPERIMENTS["dqn/catch"],
    {"agent.network.hidden": (5,), "agent.storage.batch_size": 7},
)


SECONDS = 0.01


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_actor_is_measured_with_every_number_of_environments():
    measured = parts.actor(TINY, SECONDS, sizes=(1, 3))
    check(measured, ["steps/s"] * 4)
    assert [one.name for one in measured] == [
        "actor steps, 1 environment",
        "actor steps, 1 environment, vs parts in turns",
        "actor steps, 3 environments",
        "actor steps, 3 environments, vs parts in turns",
    ]


def test_the_bare_update_is_measured():
    turns = measure.timed_turns({"bare": parts.bare_update(TINY)}, SECONDS)
    assert len(turns.rates) == 3
    assert all(rates["bare"] > 0 for rates in turns.rates)


@pytest.mark.slow
@pytest.mark.reverb
# TensorFlow 2.8 is older than NumPy's deprecations.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_both_stores_feed_a_learner_and_their_memory_is_measured():
    check(parts.learner(TINY, SECONDS, size=100), ["steps/s"] * 2)
    local, remote = measured = parts.storage(TINY, size=200)
    check(measured, ["bytes"] * 2)
    # A board of 50 float32, 16 other bytes, and rows that complete no transition.
    assert 216 <= local.value <= 260
    assert "Reverb" in remote.name
