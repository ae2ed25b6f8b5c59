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
