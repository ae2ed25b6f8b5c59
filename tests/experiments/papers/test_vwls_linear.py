"""Variance-weighted least squares on hard linear MDPs."""

import pytest

from experiments.papers import vwls_linear


@pytest.mark.slow
def test_exact_weighting_is_as_good_as_none_or_better_on_hard_mdps():
    rows = vwls_linear.compute(
        1, mdps=10, settings=((50, 100),), variances=(("VWLS", 500),)
    )
    last = {row["scheme"]: row for row in rows if row["iteration"] == 100}
    assert set(last) == {
        *("f = 1", "f = f*", "VWLS", "f = f*, notebook", "VWLS, notebook")
    }
    assert last["f = f*"]["gap"] <= 1.1 * last["f = 1"]["gap"] < 0.1
    spent = last["VWLS"]["samples"] - last["f = 1"]["samples"]
    assert spent >= 2 * 500 * 4  # the variance is estimated at no fewer than D pairs
