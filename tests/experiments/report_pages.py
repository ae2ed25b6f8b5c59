"""Evaluations for reports, and the text of their pages."""

import re

from experiments import cli
from experiments.reporting import formats
from tests.experiments.run_directories import metrics_row

POINTS = {50: [0.0, 2.0], 100: [10.0, 12.0]}
ATARI = {"kind": "Atari", "game": "pong", "protocol": "dopamine"}
ROWS = [
    metrics_row(20, "actor", 2.0, episodes=2, episode_return=-3.0),
    metrics_row(20, "learner", 2.0, q_loss=0.5, learner_waiting_share=0.125),
    metrics_row(60, "actor", 4.0, episodes=6, episode_return=5.0),
    metrics_row(100, "learner", 6.0, q_loss=0.4),
]


def report(*arguments):
    return cli.main(["report", *map(str, arguments)])


def text_of(page):
    """The text that a reader of the page sees, without figures."""
    page = re.sub(r"<style>.*?</style>|<svg.*?</svg>", " ", page, flags=re.DOTALL)
    page = page.replace(formats.MINUS, "-").replace(formats.NONE, "none")
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())
