"""Intervals by rliable's bootstrap."""

import numpy as np

from experiments.reporting import bootstrap

SCORES = np.arange(15.0).reshape(5, 3)


def means(scores):
    return scores.mean(axis=0)


def test_seeds_are_drawn_within_each_task(monkeypatch):
    monkeypatch.setattr(bootstrap, "REPETITIONS", 80)
    found = bootstrap.estimates([SCORES], means)
    assert [each.mean for each in found] == [6.0, 7.0, 8.0]
    for task, each in enumerate(found):
        assert task <= each.low < each.mean < each.high <= task + 12
    np.testing.assert_equal(found, bootstrap.estimates([SCORES], means))


def test_a_curve_of_single_seeds_has_a_band_without_width():
    found = bootstrap.estimates([SCORES[1:2]], means)
    assert found[2] == (5.0, None, None)
    curve = bootstrap.curve(np.arange(3.0), found)
    np.testing.assert_array_equal(curve.low, [3, 4, 5])
    np.testing.assert_array_equal(curve.high, curve.mean)
