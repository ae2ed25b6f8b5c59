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
    assert share.value == pytest.approx(rate.value / rate.limit)
    assert sent.value / rate.value == pytest.approx(sent.limit / rate.limit)
