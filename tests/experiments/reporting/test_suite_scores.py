"""Aggregates over tasks: by hand, and with tasks and seeds that are missing."""

import numpy as np
import pytest

from experiments.reporting import bootstrap, suite_scores


@pytest.fixture(autouse=True)
def few_repetitions(monkeypatch):
    """Intervals need no precision here; their cost grows with the repetitions."""
    monkeypatch.setattr(bootstrap, "REPETITIONS", 150)


# [seeds, tasks]: 4 seeds of 3 tasks
SCORES = np.array([[0.0, 1.0, 2.5], [0.2, 1.2, 0.5], [0.4, 1.4, 0.3], [0.6, 0.8, 0.7]])


def test_aggregates_by_hand():
    result = suite_scores.aggregates(SCORES)
    assert result.mean.mean == pytest.approx(9.6 / 12)
    # Means over seeds are 0.3, 1.1 and 1.0.
    assert result.median.mean == pytest.approx(1.0)
    # Of the 12 sorted scores, the middle six are 0.4, 0.5, 0.6, 0.7, 0.8 and 1.0.
    assert result.iqm.mean == pytest.approx(4.0 / 6)
    # Short of 1 by 1, .8, .6, .4; .2; .5, .7, .3.
    assert result.optimality_gap.mean == pytest.approx(4.5 / 12)
    for estimate in result:
        assert estimate.low < estimate.mean < estimate.high


def test_intervals_are_the_same_at_each_call_and_leave_numpy_alone():
    np.random.seed(3)
    expected = np.random.random()
    np.random.seed(3)
    first = suite_scores.aggregates(SCORES)
    assert np.random.random() == expected
    assert suite_scores.aggregates(SCORES) == first


def test_a_single_seed_has_no_interval():
    result = suite_scores.aggregates(SCORES[:1])
    assert result.mean == (pytest.approx(3.5 / 3), None, None)


def test_probability_of_improvement_by_hand():
    """Task 0: 7 of 8 pairs and a tie; task 1: all 8; task 2: none."""
    ours = np.array([[2.0, 5.0, 0.0], [3.0, 6.0, 0.1]])
    others = np.array([[1.0, 4.0, 1.0], [2.0, 4.5, 2.0], [0.0, 3.0, 3.0], [1.5, 0, 4]])
    result = suite_scores.probability_of_improvement(ours, others)
    assert result.mean == pytest.approx((7.5 / 8 + 1 + 0) / 3)


def test_a_profile_is_the_share_of_runs_above_a_threshold():
    shares = suite_scores.profile(SCORES, np.array([-1.0, 0.45, 1.0, 9.0]))
    np.testing.assert_allclose(shares.mean, [1, 8 / 12, 3 / 12, 0])
    assert (shares.low <= shares.mean).all() and (shares.mean <= shares.high).all()
    np.testing.assert_allclose(shares.high[[0, 3]], [1, 0])
    single = suite_scores.profile(SCORES[:1], np.array([0.5]))
    assert single.low == single.mean == single.high == pytest.approx(2 / 3)


def test_probability_of_improvement_equals_rliables():
    from rliable import metrics

    random = np.random.default_rng(5)
    ours, theirs = random.integers(0, 4, (3, 7)), random.integers(0, 4, (5, 7))
    expected = metrics.probability_of_improvement(ours, theirs)
    found = suite_scores.probability_of_improvement(ours, theirs)
    assert found.mean == pytest.approx(expected)


def test_improvement_by_hand():
    """From 10 to 16, where random play has -2: 6 of a distance of 12."""
    assert suite_scores.improvement(16.0, 10.0, -2.0) == pytest.approx(0.5)
    assert suite_scores.improvement(4.0, 10.0, 13.0) == pytest.approx(-2.0)
    assert suite_scores.improvement(4.0, 10.0, 10.0) is None


def test_normalised_scores_of_pong():
    """Random play has -20.7 and a human 14.6 (DQN Zoo)."""
    assert suite_scores.normalise(-20.7, -20.7, 14.6) == 0
    assert suite_scores.normalise(21.0, -20.7, 14.6) == pytest.approx(41.7 / 35.3)
    with pytest.raises(ValueError, match=r"two different ends, got 3\.0 twice"):
        suite_scores.normalise(1.0, 3.0, 3.0)


def test_tasks_and_seeds_that_are_missing_are_named_and_not_filled_in():
    agents = {
        "mdqn": {"asterix": [1.0, 2.0, 3.0], "breakout": [4.0, 5.0], "freeway": [6.0]},
        "dqn": {"asterix": [0.1, 0.2], "breakout": [0.3, 0.4], "freeway": []},
    }
    chosen = suite_scores.select(agents, ["asterix", "breakout", "freeway", "seaquest"])
    assert chosen.tasks == ["asterix", "breakout"]
    assert chosen.seeds == {"mdqn": 2, "dqn": 2}
    np.testing.assert_array_equal(chosen.scores["mdqn"], [[1, 4], [2, 5]])
    np.testing.assert_array_equal(chosen.scores["dqn"], [[0.1, 0.3], [0.2, 0.4]])
    assert chosen.left_out == [
        "freeway: no run of dqn",
        "seaquest: no run of mdqn, dqn",
        "asterix: 1 of 3 seeds of mdqn, which has 2 on another task",
    ]


def test_agents_without_a_common_task_are_refused():
    with pytest.raises(ValueError, match="must have a task in common, got none"):
        suite_scores.select({"dqn": {"a": [1.0]}, "mdqn": {"b": [1.0]}}, ["a", "b"])
