"""Curves of a figure's variants from a table."""

import csv

import numpy as np
import pytest

from experiments.tables import variants

COLUMNS = ("experiment", "seed", "learner_steps", "mean_return", "forward_kl")
ROWS = [
    ("gkd/sizes_on_policy-2x48", 0, 100, 0.25, 3.0),
    ("gkd/sizes_on_policy-2x48", 0, 200, 0.5, ""),
    ("gkd/sizes_on_policy-2x48", 1, 100, 0.75, 2.0),
    ("gkd/sizes_on_policy-2x48", 1, 200, 1.0, "nan"),
    ("gkd/sizes_sft-1x32", 0, 100, 0.125, ""),
    ("gkd/sizes_teacher", 0, 100, 0.875, ""),
]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *ROWS])
    return path


def test_a_line_is_a_mean_over_seeds_and_a_group_is_a_panel(table):
    found = variants.panels(variants.read(table), "mean_return")
    titles = [title for title, _ in found]
    assert titles == ["gkd/sizes  2x48", "gkd/sizes  1x32", "gkd/sizes"]
    curve = found["gkd/sizes  2x48", "learner steps"]["on_policy"]
    np.testing.assert_array_equal(curve.x, [100, 200])
    np.testing.assert_array_equal(curve.mean, [0.5, 0.75])
    np.testing.assert_array_equal(curve.low, [0.25, 0.5])
    np.testing.assert_array_equal(curve.high, [0.75, 1.0])
    assert list(found["gkd/sizes", "learner steps"]) == ["teacher"]


def test_rows_without_a_number_are_left_out(table):
    found = variants.series(variants.read(table), "forward_kl")
    assert found == {"gkd/sizes_on_policy-2x48": {0: {100: 3.0}, 1: {100: 2.0}}}
    with pytest.raises(ValueError, match="numbers in its column entropy"):
        variants.series(variants.read(table), "entropy")


def test_names_are_split_at_their_figure():
    assert variants.split("f_divergence/text_losses_alpha_2")[1] == "alpha_2"
    found = variants.split("teacher_hacking/markov_online_student")
    assert found == ("teacher_hacking/markov", "online_student")
    assert variants.split("sft/facts") == ("sft/facts", "sft/facts")


def test_the_picture_is_written_and_mistakes_are_one_line(table, tmp_path, capsys):
    picture = tmp_path / "picture.png"
    assert variants.main([str(table), str(picture)]) == 0
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert variants.main([str(table), str(picture), "entropy"]) == 2
    said = "variants: the table must have numbers in its column entropy"
    assert capsys.readouterr().err.splitlines() == [said]
