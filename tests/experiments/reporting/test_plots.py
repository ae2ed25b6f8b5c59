"""Layout of pictures of curves."""

import numpy as np

from experiments.reporting import plots
from experiments.reporting.statistics import Curve


def test_long_titles_stay_above_their_own_panels(monkeypatch):
    drawn = []
    monkeypatch.setattr(plots, "save", lambda figure, *_, **__: drawn.append(figure))
    curve = Curve(*(np.arange(3.0) for _ in range(4)))
    titles = [f"MinAtar {game} sticky_actions 0.1 " + 9 * "word " for game in "ab"]
    panels = {(title, "steps"): {"dqn": curve} for title in titles}
    plots.picture(panels, plots.looks(["dqn"]), "png")
    (figure,) = drawn
    figure.draw_without_rendering()
    left, right = (axes._left_title.get_window_extent() for axes in figure.axes)
    assert left.x1 < right.x0 and right.x1 <= figure.bbox.x1


def test_a_name_that_the_font_cannot_show_does_not_warn():
    curve = Curve(*(np.arange(3.0) for _ in range(4)))
    panels = {("\u65e5 \U0001f600", "steps"): {"\u672c": curve}}
    for format_ in ("png", "svg"):
        assert plots.picture(panels, plots.looks(["\u672c"]), format_)


def test_parts_of_single_seeds_are_thin_and_dashed(monkeypatch):
    drawn = []
    monkeypatch.setattr(plots, "save", lambda figure, *_, **__: drawn.append(figure))
    mean, part = np.array([1.0, 2.0]), (np.array([2.0, 5.0]), np.array([7.0, 3.0]))
    alone = (np.array([9.0]), np.array([4.0]))
    curve = Curve(mean, mean, mean, mean, (part, alone))
    plots.picture({("title", "steps"): {"dqn": curve}}, plots.looks(["dqn"]), "png")
    [axes] = drawn[0].axes
    thin, point, line = axes.lines
    np.testing.assert_array_equal(thin.get_xydata(), [[2, 7], [5, 3]])
    assert thin.is_dashed() and thin.get_linewidth() < line.get_linewidth()
    assert thin.get_color() == line.get_color() and not line.is_dashed()
    assert point.get_marker() == "."  # a line of one point cannot be seen
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["dqn"]


def test_dozens_of_long_labels_leave_room_for_the_axes(monkeypatch):
    drawn = []
    monkeypatch.setattr(plots, "save", lambda figure, *_, **__: drawn.append(figure))
    curve = Curve(*(np.arange(3.0) for _ in range(4)))
    labels = [f"dqn, dataset {'a' * 200}{index}" for index in range(30)]
    lines = dict.fromkeys(labels, curve)
    plots.picture({("title", "steps"): lines}, plots.looks(labels), "png")
    drawn[0].draw_without_rendering()  # a warning would be an error here
    [axes] = drawn[0].axes
    assert axes.get_window_extent().width > 0.8 * drawn[0].bbox.width
