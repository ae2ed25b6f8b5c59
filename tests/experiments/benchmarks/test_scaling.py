"""What limits many actors: fetches of parameters."""

import pytest

from experiments.benchmarks import scaling


@pytest.mark.slow
@pytest.mark.launchpad
def test_fetches_of_parameters_are_measured():
    share, rate, sent = scaling.fetches(0.9, "mdqn/catch")
    assert 0 < share.value and share.wanted == "at most 1"
    # An actor waits at least 0.2 s between two fetches; the first comes at once.
    assert 0 < rate.value <= 1 / 0.2 + 1 / 0.3
    # Means over turns: the ratio of two means lies between the ratios of the turns.
    ratio = rate.value / rate.limit / share.limit
    assert share.lowest * 0.999 <= ratio <= share.highest * 1.001
    assert sent.value / rate.value == pytest.approx(sent.limit / rate.limit)
