"""Agents compared on one environment with rliable."""

import numpy as np
import pytest

from experiments.reporting import comparison


def test_interquartile_mean_and_profile_match_hand_computation():
    eight = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 1000.0])
    found = comparison.compare({"a": eight, "b": np.array([4.0])})
    low, high = found.iqm["a"].low, found.iqm["a"].high
    assert found.iqm["a"].mean == pytest.approx(4.5)  # of 3, 4, 5, 6
    assert 1.0 < low < 4.5 < high < 1000.0
    assert found.iqm["b"] == (4.0, None, None)
    above = [(eight > threshold).mean() for threshold in found.thresholds]
    np.testing.assert_allclose(found.profiles["a"].mean, above)
    assert found.profiles["a"].mean[0] == 1 and found.profiles["a"].mean[-1] == 0
    again = comparison.compare({"a": eight, "b": np.array([4.0])})
    assert again.iqm == found.iqm


def test_equal_returns_can_be_compared():
    found = comparison.compare({"a": np.full(3, 5.0), "b": np.full(3, 5.0)})
    assert found.iqm["a"] == (5.0, 5.0, 5.0)
