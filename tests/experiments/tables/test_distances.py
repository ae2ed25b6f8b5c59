"""Distances of teacher hacking from a table of its runs."""

import csv

import numpy as np
import pytest

from environments.language import markov
from experiments.names import EXPERIMENTS
from experiments.tables import distances, variants

NAME = "teacher_hacking/markov_offline"
COLUMNS = ("experiment", "seed", "learner_steps", "forward_kl", "reference_log_prob")


@pytest.fixture(scope="module")
def entropy():
    """Of a whole completion of the oracle."""
    chain = EXPERIMENTS[NAME].environment
    return -markov.reference_score(chain) * chain.completion_columns


@pytest.fixture
def table(entropy, tmp_path):
    """Two seeds whose golden distances are 0.2 apart, and a run without teacher."""
    rows = [
        (NAME, seed, steps, proxy, -entropy - golden - 0.2 * seed)
        for seed in (0, 1)
        for steps, proxy, golden in ((0, 4, 3), (10, 2, 1), (20, 1, 2.5))
    ]
    path = tmp_path / "table.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(
            [COLUMNS, *rows, ("teacher_hacking/markov_student", 0, 5, 1, -entropy)]
        )
    return path


def test_the_golden_distance_is_exact_up_to_the_mean_over_samples(table):
    [(name, found)] = distances.distances(variants.read(table)).items()
    assert name == NAME
    np.testing.assert_array_equal(found.steps, [0, 10, 20])
    np.testing.assert_array_equal(found.proxy, [4, 2, 1])
    np.testing.assert_allclose(found.golden, [3.1, 1.1, 2.6], rtol=1e-12)
    # Two numbers 0.2 apart: deviation 0.2 / sqrt(2), error 0.1.
    np.testing.assert_allclose(found.golden_error, [0.1] * 3, rtol=1e-9)
    # 3.1 - 2 * 1.1 + 2.6 = 3.5 / sqrt(6) = 1.43: three rough points show nothing.
    assert distances.fluctuation(found.golden) == pytest.approx(3.5 / 6**0.5)
    one = distances.diagnosis(found)
    assert not one.hacked and one.rise == pytest.approx(1.5) and one.proxy_change == -1


def test_a_rise_above_the_noise_of_single_evaluations_is_hacking():
    steps, none = np.arange(5), np.zeros(5)
    proxy = np.array([5.0, 4.0, 3.0, 2.0, 1.0])
    golden = np.array([4.0, 3.0, 2.0, 3.0, 4.0])
    # Second differences 0, 2, 0: the noise is sqrt(4 / 3 / 6) = 0.47, the rise 2.
    assert distances.fluctuation(golden) == pytest.approx((4 / 18) ** 0.5)
    found = distances.Distances(steps, proxy, golden, none)
    assert distances.diagnosis(found).hacked
    rough = golden + np.array([0.0, 1.0, 0.0, 1.0, -1.0])
    assert not distances.diagnosis(found._replace(golden=rough)).hacked
    assert distances.fluctuation(np.array([3.0, 1.0])) == 0.0


def test_a_picture_and_a_line_for_each_variant(table, tmp_path, capsys):
    picture = tmp_path / "picture.png"
    assert distances.main([str(table), str(picture)]) == 0
    assert picture.read_bytes()[:4] == b"\x89PNG"
    _, line, _ = capsys.readouterr().out.splitlines()
    assert line.split()[:3] == [NAME, "1.5", "-1"] and line.endswith("no")


def test_a_table_without_distances_is_refused_in_one_line(tmp_path, capsys):
    table = tmp_path / "table.csv"
    table.write_text("experiment,seed,learner_steps\nsft/facts,0,1\n")
    assert distances.main([str(table), str(tmp_path / "picture.png")]) == 2
    said = "distances: the table must have numbers in its column forward_kl"
    assert capsys.readouterr().err.splitlines() == [said]
