"""The environment that only waits."""

import time

import numpy as np

from experiments.benchmarks import stub_environment


def test_the_stub_waits_and_ends_after_100_steps():
    stub = stub_environment.Stub(milliseconds=2.0, size=7)
    assert stub.reset(seed=3)[0].shape == (7,)
    began = time.monotonic()
    rows = [stub.step(1) for _ in range(100)]
    assert time.monotonic() - began >= 0.2
    assert [row[2] for row in rows] == [False] * 99 + [True]
    assert not np.any([row[0] for row in rows])
