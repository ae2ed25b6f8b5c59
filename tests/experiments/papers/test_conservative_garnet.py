"""Conservative policy iteration on Garnets."""

import pytest

from experiments.papers import conservative_garnet


@pytest.fixture(scope="module")
def rows():
    return conservative_garnet.compute(0, garnets=2)


def last(rows, part, scheme):
    found = [r for r in rows if (r["part"], r["scheme"]) == (part, scheme)]
    assert [r["iteration"] for r in found] == list(conservative_garnet.SHOWN)
    return found[-1]


@pytest.mark.slow
def test_without_noise_large_rates_converge_faster(rows):
    assert last(rows, "exact", "rate 1")["error"] < 1e-6
    assert last(rows, "exact", "rate 0.3")["error"] < 1e-3
    small, large = (last(rows, "exact", f"rate {rate}") for rate in ("0.01", "0.1"))
    assert small["error"] > large["error"]


@pytest.mark.slow
def test_with_noise_small_rates_jitter_less(rows):
    small, large = (last(rows, "sampled", f"rate {rate}") for rate in ("0.01", "1"))
    assert small["jitter"] < large["jitter"]


def test_every_rate_has_a_name():
    names = list(conservative_garnet.rates())
    assert names[:2] == ["rate 1", "rate 0.3"] and len(names) == 7
