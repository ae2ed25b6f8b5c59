"""Pictures of sweeps: which number is where, what is marked, what is missing."""

import itertools
import math

import pytest

from experiments.reporting import plots, sweep_plots
from experiments.reporting.sweep_plots import Point


@pytest.fixture
def drawn(monkeypatch):
    """Keeps figures instead of writing them."""
    figures = []
    monkeypatch.setattr(plots, "save", lambda figure, *_, **__: figures.append(figure))
    return figures


def point(values, mean, *, note="", best=False):
    low, high = (None, None) if mean is None else (mean - 1, mean + 2)
    return Point(values, tuple(map(str, values)), mean, low, high, note, best)


def test_a_heat_map_has_each_number_at_its_values_and_frames_the_best(drawn):
    points = [
        point((0.1, "squared"), 7.0, best=True),
        point((0.1, "huber"), 2.0, note="1 of 3"),
        point((0.01, "squared"), None, note="0 of 3"),
        point((0.01, "huber"), -20.0),
    ]
    sweep_plots.grid(["temperature", "loss"], points, "title")
    axes = drawn[0].axes[0]
    texts = {text.get_position(): text.get_text() for text in axes.texts}
    assert texts == {
        (0, 0): "none\n0 of 3",
        (1, 0): "\N{MINUS SIGN}20.00",
        (0, 1): "7.00",
        (1, 1): "2.00\n1 of 3",
    }
    image = axes.images[0].get_array()
    assert image.mask.tolist() == [[True, False], [False, False]]
    assert image[0, 1] == -20 and image[1].tolist() == [7, 2]
    assert [label.get_text() for label in axes.get_xticklabels()] == [
        "squared",
        "huber",
    ]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["0.01", "0.1"]
    [frame] = axes.patches
    assert frame.get_xy() == (-0.5, 0.5)


def test_more_than_two_fields_show_the_highest_mean_over_the_others(drawn):
    means = iter([3, 5, None, 4, 9, 8, None, None])
    values = itertools.product((1, 2), ("a", "b"), (True, False))
    points = [
        point(each, mean, note="" if mean else "0 of 1")
        for each, mean in zip(values, means, strict=True)
    ]
    sweep_plots.grid(["x", "y", "z"], points, "title")
    texts = {text.get_position(): text.get_text() for text in drawn[0].axes[0].texts}
    assert texts == {
        (0, 0): "5.00",
        (1, 0): "4.00\nsome missing",
        (0, 1): "9.00",
        (1, 1): "none\n0 of 1",
    }
    said = " ".join(drawn[0].get_suptitle().split())
    assert said == "title; the best is framed; each cell: the highest mean over z"


def test_a_curve_has_its_numbers_in_order_a_band_and_a_gap(drawn):
    points = [
        point((0.3,), 6.0),
        point((0.1,), 4.0, best=True),
        point((0.2,), None, note="0 of 2"),
    ]
    sweep_plots.grid(["temperature"], points, "title")
    [axes] = drawn[0].axes
    assert [label.get_text() for label in axes.get_xticklabels()] == [
        "0.1",
        "0.2",
        "0.3",
    ]
    curve, best = axes.lines
    x, y = curve.get_data()
    assert x.tolist() == [0, 1, 2] and [y[0], y[2]] == [4, 6] and math.isnan(y[1])
    assert list(best.get_xdata()) == [0] and list(best.get_ydata()) == [4]
    lines = [segment.tolist() for segment in axes.collections[1].get_segments()]
    assert [[0, 3], [0, 6]] in lines and [[2, 5], [2, 8]] in lines
    assert [text.get_text() for text in axes.texts] == ["0 of 2"]


def test_cells_that_optuna_chose_have_a_panel_for_each_field(drawn):
    points = [
        point((0.001, None), 1.0),
        point((0.5, 3), 2.0, best=True),
        point((0.02, None), None),
    ]
    sweep_plots.slices(["temperature", "size"], points, "title", [True, False])
    rate, size = drawn[0].axes
    assert rate.get_xscale() == "log" and size.get_xscale() == "linear"
    assert [line.get_xydata().tolist() for line in rate.lines] == [
        [[0.001, 1]],
        [[0.5, 2]],
    ]
    assert [line.get_xydata().tolist() for line in size.lines] == [[[0, 1]], [[1, 2]]]
    assert [label.get_text() for label in size.get_xticklabels()] == ["None", "3"]


def test_the_largest_sweeps_make_pictures_of_ordinary_size(drawn):
    line = [point((value,), 1.0) for value in range(1000)]
    wide = [point(each, 1.0) for each in itertools.product((1, 2), range(500))]
    sweep_plots.grid(["a"], line, "t")
    sweep_plots.grid(["a", "b"], wide, "t")
    for figure in drawn:
        assert max(figure.get_size_inches()) < 25
        assert len(figure.axes[0].get_xticks()) <= 30 and not figure.axes[0].texts
