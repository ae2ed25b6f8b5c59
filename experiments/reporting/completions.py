"""Completions of language tasks that a report shows, as text."""

from collections.abc import Sequence
from typing import NamedTuple

from experiments.reporting import formats
from experiments.reporting.plain_text import one_line
from experiments.reporting.read_runs import Group

MOST = 8  # of one agent


class Completions(NamedTuple):
    """The first completions of one agent's last evaluation.

    Attributes:
        label: the agent's label.
        seed: of the run that they are from.
        rows: prompt, completion, reference and score of each.
    """

    label: str
    seed: int
    rows: list[tuple[str, str, str, str]]


def shown(groups: Sequence[Group]) -> list[Completions]:
    """Completions of each agent's first run that has some."""
    found = []
    for group in groups:
        run = next((run for run in group.runs if run.samples), None)
        if run is None:
            continue
        rows = [
            (
                one_line(sample.prompt),
                one_line(sample.completion),
                one_line(sample.reference),
                formats.number(sample.reward),
            )
            for sample in run.samples[:MOST]
        ]
        found.append(Completions(group.label, run.experiment["seed"], rows))
    return found
