"""Bars: ordered by gain, with the names of the tasks."""

import re

from experiments.reporting import suite_plots
from experiments.reporting.plots import Look


def test_bars_go_from_the_largest_loss_to_the_largest_gain():
    gains = {"pong": 0.5, "seaquest": -2.0, "breakout": 30.0}
    svg = suite_plots.improvements("bars", gains, Look(1, ())).wide
    places = [svg.index(name) for name in ("seaquest", "pong", "breakout")]
    assert places == sorted(places)
    assert "1000 %" in svg and "var(--series-1)" in svg


def test_small_gains_have_round_ticks():
    svg = suite_plots.improvements("bars", {"a": 0.42, "b": -0.13}, Look(0, ())).wide
    ticks = [float(text) for text in re.findall(r">(-?[\d.]+) %<", svg)]
    assert len(ticks) >= 4 and 0 in ticks
    assert all(tick % 5 == 0 for tick in ticks)
