"""Draws reward over KL divergence: a line for each variant of a table from `from_runs`.

python -m experiments.tables.fronts warp_anchors.csv warp_anchors.png

A line is the mean over seeds of a variant's rewards at equal divergence, interpolated
between the evaluations, as far as all seeds go; its band is two standard errors. The x
axis is the column `sft_kl`, the divergence from the supervised policy, in nats. On the
task `preferences` the last line has the best reward at each divergence from the chain,
to which the supervised policy was fitted.
"""

import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from environments.language import preferences
from experiments import output_files
from experiments.names import EXPERIMENTS
from experiments.reporting.log_plots import Line, save
from experiments.tables import variants
from launch import output
from launch.errors import RunDirectoryError

BEST = "best possible"
_POINTS = 30  # of a line
_TEMPERATURES = np.geomspace(0.02, 3, 40)  # of the tilted policies


def lines(rows: Sequence[Mapping[str, str]]) -> list[Line]:
    """The reward of each variant over the divergence.

    Raises:
        ValueError: the table lacks the divergence, or a reward for one.
    """
    divergences = variants.series(rows, "sft_kl")
    rewards = variants.series(rows, "mean_return")
    found = []
    for name, seeds in divergences.items():
        ways = [
            np.array(
                sorted((x, rewards[name][seed][step]) for step, x in run.items())
            ).T
            for seed, run in seeds.items()
        ]
        x = np.linspace(
            max(way[0, 0] for way in ways), min(way[0, -1] for way in ways), _POINTS
        )
        y = np.array([np.interp(x, way[0], way[1]) for way in ways])
        error = y.std(axis=0, ddof=1 if len(y) > 1 else 0) / np.sqrt(len(y))
        found.append(Line(variants.split(name)[1], x, y.mean(axis=0), error))
    return found


def best(config: preferences.Preferences, largest: float) -> Line:
    """The best reward at each divergence from the chain, up to the largest.

    Both are means over the prompts of evaluation. The policy with the best mean reward
    at a mean divergence is tilted with the same temperature after all prompts.
    """
    ends = preferences.evaluation_ends(config)
    tilted = [preferences.tilted(config, each) for each in _TEMPERATURES[::-1]]
    kl = np.array([ends @ each.kl for each in tilted])
    reward = np.array([ends @ each.reward for each in tilted])
    shown = kl <= largest
    return Line(BEST, kl[shown], reward[shown], np.zeros(shown.sum()))


def _names(rows: Sequence[Mapping[str, str]]) -> set[str]:
    """The experiments of a table that this program knows."""
    return {row["experiment"] for row in rows} & set(EXPERIMENTS)


def draw(rows: Sequence[Mapping[str, str]], path: Path) -> None:
    """Draws the lines of a table, and the best front where it is known."""
    found = lines(rows)
    largest = max(float(each.x.max()) for each in found)
    for task in {EXPERIMENTS[name].environment for name in _names(rows)}:
        if isinstance(task, preferences.Preferences):
            found.append(best(task, largest))
    lowest = min(float(each.y.min()) for each in found)
    save(
        path,
        {"reward over distance": found},
        x_label="KL divergence from the supervised policy, in nats",
        y_label="golden reward",
        lowest=lowest - 0.05,
        logarithmic_x=False,
        logarithmic_y=False,
    )


def main(arguments: Sequence[str]) -> int:
    """Draws the fronts of a table."""
    if len(arguments) != 2 or Path(arguments[1]).suffix not in (".png", ".svg"):
        print(
            "usage: python -m experiments.tables.fronts TABLE.csv PICTURE.png|svg",
            file=sys.stderr,
        )
        return 2
    table, picture = map(Path, arguments)
    try:
        output_files.check_writable(picture)
        rows = variants.read(table)
        with output_files.draft(picture) as draft:
            draw(rows, draft)
    except (OSError, RunDirectoryError, ValueError, csv.Error) as error:
        print(f"fronts: {error}", file=sys.stderr)
        return 2
    print(picture)
    return 0


if __name__ == "__main__":
    output.guard()
    sys.exit(main(sys.argv[1:]))
