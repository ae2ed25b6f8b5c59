"""What limits many actors: the stub environment, and fetches of parameters."""

import time

import numpy as np
import pytest

from experiments.benchmarks import scaling, stub_environment


def test_the_stub_waits_and_ends_after_100_steps():
    stub = stub_environment.Stub(milliseconds=2.0, size=7)
    assert stub.reset(seed=3)[0].shape == (7,)
    began = time.monotonic()
    rows = [stub.step(1) for _ in range(100)]
    assert time.monotonic() - began >= 0.2
    assert [row[2] for row in rows] == [False] * 99 + [True]
    assert not np.any([row[0] for row in rows])


@pytest.mark.slow
@pytest.mark.launchpad
def test_fetches_of_parameters_are_measured():
    share, rate, sent = scaling.fetches(0.3, "mdqn/catch")
    assert 0 < share.value and share.wanted == "at most 1"
    # An actor waits at least 0.2 s between two fetches; the first comes at once.
    assert 0 < rate.value <= 1 / 0.2 + 1 / 0.3
    assert share.value == pytest.approx(rate.value / rate.limit)
    assert sent.value / rate.value == pytest.approx(sent.limit / rate.limit)
