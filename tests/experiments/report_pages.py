"""Evaluations that reports are made of, and what their pages say."""

import re

from experiments.reporting import formats

POINTS = {50: [0.0, 2.0], 100: [10.0, 12.0]}


def text_of(page):
    """What a reader of the page sees, figures aside."""
    page = re.sub(r"<style>.*?</style>|<svg.*?</svg>", " ", page, flags=re.DOTALL)
    page = page.replace(formats.MINUS, "-").replace(formats.NONE, "none")
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())
