"""Leverage the Average on Garnets."""

import math

import pytest

from experiments.papers import leverage_garnet
from experiments.reporting.published import read_published


def published(name):
    return read_published({"kind": "Garnet", "name": name})


@pytest.mark.slow
def test_garnet_table_matches_the_reference_within_sampling_error():
    rows = leverage_garnet.compute(1, garnets=60)
    found = {(row["scheme"], row["iteration"]): row for row in rows}
    for reference in published("leverage/garnet"):
        row = found[reference.agent, reference.frames]
        # The reference uses 100 other Garnets and has two digits.
        error = row["standard_error"] * math.sqrt(1 + 60 / 100)
        assert row["error"] == pytest.approx(
            reference.value, abs=4 * error + 0.05 * reference.value + 1e-4
        ), (reference.agent, reference.frames)
    for name in ("DA-VI(1, 0)", "MoVI", "Speedy Q-learning"):
        decades = math.log(found[name, 800]["error"] / found[name, 50]["error"])
        assert -1.25 < decades / math.log(16) < -0.75
    again = leverage_garnet.compute(1, garnets=60)
    assert again == rows
