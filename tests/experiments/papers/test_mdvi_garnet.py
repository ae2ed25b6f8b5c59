"""MDVI on Garnets."""

import pytest

from experiments.papers import mdvi_garnet


@pytest.mark.slow
def test_mdvi_needs_fewer_samples_than_value_iteration():
    rows = mdvi_garnet.compute(1, garnets=10, samples=(1, 4, 16), discounts=())
    gap = {(row["scheme"], row["samples_per_pair"]): row["gap"] for row in rows}
    assert len(gap) == 9
    for m in (1, 4, 16):
        assert gap[mdvi_garnet.GAMMA, m] < gap[mdvi_garnet.VI, m] / 2
        assert gap[mdvi_garnet.SQUARED, m] < gap[mdvi_garnet.GAMMA, m]
    for name in mdvi_garnet.schemes(0.9):
        assert gap[name, 1] > gap[name, 4] > gap[name, 16]
