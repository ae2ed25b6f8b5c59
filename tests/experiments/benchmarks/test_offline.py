"""Learning from a dataset is measured against the update alone."""

import numpy as np
import pytest

from agents.parts.contract import Agent, Storage, Transition, never_acts
from experiments.benchmarks import offline
from experiments.benchmarks.measure import Turns
from launch.datasets.normalization import Prepared
from launch.datasets.sampler import DatasetBatches


@pytest.mark.slow
def test_every_learner_is_measured_and_the_lookup_of_ploff():
    measured = offline.offline(0.01, names=("bc", "ploff"), size=700)
    assert [one.unit for one in measured] == ["steps/s", "steps/s", ""]
    for one in measured:
        assert one.value > 0 and one.limit > 0
    assert 0 < measured[-1].value < 1 and measured[-1].limit == 0.5


def test_the_limit_with_a_lookup_is_update_and_lookup_in_turns():
    turns = Turns([{"bare": 300.0, "fed": 80.0, "lookup": 150.0}], 0.0)
    fed, part = offline._compared("ploff", turns)
    assert fed.limit == pytest.approx(100) and fed.ratio == pytest.approx(0.8)
    assert part.value == pytest.approx(2 / 3) and not part.met
    [alone] = offline._compared("bc", Turns([{"bare": 300.0, "fed": 290.0}], 0.0))
    assert alone.limit == 300.0 and alone.met


def test_each_lookup_uses_the_rows_of_a_new_step():
    column = np.zeros(700, np.float32)
    storage = Storage(batch_size=11)
    agent = Agent(None, None, never_acts, storage, 0.99)
    dataset = Prepared(Transition(*[column] * 5), {}, {})
    store = DatasetBatches(dataset, agent, seed=0)
    seen = []
    timed = offline._lookup(store, lambda tables, rows: seen.append(rows), None)
    for _ in range(3):
        timed.step()
    np.testing.assert_array_equal(seen, [store.rows(step) for step in range(3)])
