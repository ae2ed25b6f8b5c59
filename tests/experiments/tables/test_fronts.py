"""Reward over divergence from a table of runs, and the best that there can be."""

import csv

import numpy as np
import pytest

from environments.language import preferences
from environments.language.vocabulary import SPECIAL
from experiments.tables import fronts, variants

COLUMNS = ("experiment", "seed", "learner_steps", "mean_return", "sft_kl")
NAME = "warp/anchors_ema"


def write(path, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return path


@pytest.fixture
def table(tmp_path):
    """Two seeds, of which the first has one more evaluation."""
    rows = [
        (NAME, 0, 5, 0.5, 2.0),
        (NAME, 0, 9, 0.75, 3.0),
        (NAME, 0, 13, 1.0, 8.0),
        (NAME, 1, 5, 0.25, 1.0),
        (NAME, 1, 9, 0.25, 4.0),
    ]
    return write(tmp_path / "table.csv", rows)


def test_a_line_is_the_mean_over_seeds_at_equal_divergence(table):
    """From 2 to 4: the first seed rises to 0.75 at 3 and then by 0.05 each nat."""
    [line] = fronts.lines(variants.read(table))
    assert line.label == "ema"
    assert (line.x[0], line.x[-1]) == (2, 4)
    first = np.interp(line.x, [2, 3, 8], [0.5, 0.75, 1.0])
    np.testing.assert_allclose(line.y, (first + 0.25) / 2)
    # Two seeds: half their difference is the standard error of their mean.
    np.testing.assert_allclose(line.error, (first - 0.25) / 2)


def test_the_best_front_is_that_of_the_tilted_policies():
    config = preferences.Preferences(symbols=5, completion_columns=7)
    line = fronts.best(config, largest=4.0)
    assert (np.diff(line.x) > 0).all() and (np.diff(line.y) > 0).all()
    assert 3 < line.x[-1] <= 4
    # Means over many prompts of evaluation: reward at a temperature, and divergence.
    environment = preferences.make(config, 4_000, seed=1, evaluation=True)
    ends = environment.reset().observation[:, 1] - SPECIAL
    tilted = preferences.tilted(config, 3.0)
    for got, each in ((line.x[0], tilted.kl), (line.y[0], tilted.reward)):
        assert abs(got - each[ends].mean()) < 4 * each[ends].std() / 4_000**0.5
        assert abs(got - each.mean()) > 10 * each[ends].std() / 4_000**0.5
    # The slope of the front is the temperature at which the policy is tilted.
    slopes = np.diff(line.y) / np.diff(line.x)
    temperatures = np.geomspace(0.02, 3, 40)[::-1][: len(line.x)]
    assert ((temperatures[1:] < slopes) & (slopes < temperatures[:-1])).all()


def test_it_draws_a_picture(table, tmp_path, capsys):
    picture = tmp_path / "picture.svg"
    assert fronts.main([str(table), str(picture)]) == 0
    assert capsys.readouterr().out == f"{picture}\n"
    text = picture.read_text()
    assert "ema" in text and fronts.BEST in text


def test_mistakes_end_in_one_line(table, tmp_path, capsys):
    assert fronts.main([str(table)]) == 2
    assert capsys.readouterr().err.startswith("usage: ")
    other = write(tmp_path / "other.csv", [(NAME, 0, 5, 0.5, "")])
    assert fronts.main([str(other), str(tmp_path / "new.png")]) == 2
    assert capsys.readouterr().err == (
        "fronts: the table must have numbers in its column sft_kl\n"
    )
    assert not (tmp_path / "new.png").exists()
