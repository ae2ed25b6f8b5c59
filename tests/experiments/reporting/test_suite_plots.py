"""Bars: ordered by gain, with the names of the tasks."""

from experiments.reporting import suite_plots
from experiments.reporting.plots import Look


def test_bars_go_from_the_largest_loss_to_the_largest_gain():
    gains = {"pong": 0.5, "seaquest": -2.0, "breakout": 30.0}
    svg = suite_plots.improvements("bars", gains, Look(1, ())).wide
    places = [svg.index(name) for name in ("seaquest", "pong", "breakout")]
    assert places == sorted(places)
    assert "1000 %" in svg and "var(--series-1)" in svg
