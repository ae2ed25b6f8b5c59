"""Politex, conservative and greedy policy iteration on Garnets."""

import jax
import numpy as np
import pytest

from agents.parts.double_precision import double_precision
from agents.tabular import operators
from agents.tabular.schemes import mirror_descent
from experiments.papers import garnets, politex_garnet


@pytest.fixture(scope="module")
def rows():
    return politex_garnet.compute(3, garnets=2)


def error(rows, part, scheme, iteration=400):
    (found,) = (
        row["error"]
        for row in rows
        if (row["part"], row["scheme"], row["iteration"]) == (part, scheme, iteration)
    )
    return found


@pytest.mark.slow
def test_every_scheme_has_every_iteration_in_both_parts(rows):
    names = ["policy iteration", "CPI, rate 0.1", "CPI, rate 0.01"]
    names += ["Politex, eta 10", "Politex, eta 1", "Politex, eta 0.1"]
    assert [(r["part"], r["scheme"], r["iteration"]) for r in rows] == [
        (part, name, iteration)
        for part in ("exact", "noisy")
        for name in names
        for iteration in politex_garnet.ITERATIONS
    ]


@pytest.mark.slow
def test_without_noise_greater_steps_converge_faster(rows):
    assert error(rows, "exact", "policy iteration", 20) < 1e-12
    assert error(rows, "exact", "CPI, rate 0.1") < 1e-6
    etas = [error(rows, "exact", f"Politex, eta {eta}", 50) for eta in ("10", "1")]
    assert etas[0] < etas[1] < error(rows, "exact", "Politex, eta 0.1", 50)


@pytest.mark.slow
def test_only_the_sum_of_values_averages_the_noise(rows):
    for name in ("policy iteration", "CPI, rate 0.1"):
        assert error(rows, "noisy", name) > 0.2
    assert error(rows, "noisy", "Politex, eta 1") < 0.1


def test_noise_has_its_deviation_and_no_part_in_the_exact_evaluation():
    with double_precision():
        mdps, keys = garnets.drawn(0, 2, politex_garnet.DISCOUNT)
        mdp = jax.tree.map(lambda leaf: leaf[0], mdps)
        noisy = politex_garnet.models()["noisy"](mdp)(keys[0])
        exact = politex_garnet.models()["exact"](mdp)(keys[0])
    np.testing.assert_array_equal(exact.rewards, mdp.rewards)
    added = np.asarray(noisy.rewards - mdp.rewards)  # 120 numbers
    assert added.std() == pytest.approx(politex_garnet.NOISE, rel=0.25)


def test_mirror_descent_has_the_curve_of_politex():
    with double_precision():
        mdps, keys = garnets.drawn(1, 3, politex_garnet.DISCOUNT)
        curves = [
            garnets.curve(scheme, operators.exact, mdps, keys, (1, 4, 30))
            for scheme in (
                politex_garnet.schemes()["Politex, eta 0.1"],
                mirror_descent(10.0, 0.0, evaluations=None, regularised=False),
            )
        ]
    for one, other in zip(*curves, strict=True):
        assert one["error"] == pytest.approx(other["error"], rel=1e-9)
