"""Draws reward over KL divergence: a line for each variant of a table from `from_runs`.

python -m experiments.tables.fronts warp_anchors.csv warp_anchors.png

A line goes through the evaluations of a variant, as means over seeds, and its band is
two standard errors. The x axis is the column `sft_kl`, the divergence from the
supervised policy, in nats. On the task `preferences` a dotted line has the best reward
at each divergence from the chain, to which the supervised policy was fitted.
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
_TEMPERATURES = np.geomspace(0.02, 3, 40)  # of the tilted policies


def trajectories(rows: Sequence[Mapping[str, str]]) -> list[Line]:
    """The way of each variant through divergence and reward, in the order of steps.

    Raises:
        ValueError: the table lacks the divergence, or a reward for one.
    """
    divergences = variants.series(rows, "sft_kl")
    rewards = variants.series(rows, "mean_return")
    found = []
    for name, seeds in divergences.items():
        steps = sorted(set.intersection(*(set(run) for run in seeds.values())))
        x = np.array([[run[step] for step in steps] for run in seeds.values()])
        y = np.array([[rewards[name][seed][step] for step in steps] for seed in seeds])
        error = y.std(axis=0, ddof=1 if len(y) > 1 else 0) / np.sqrt(len(y))
        label = variants.split(name)[1]
        found.append(Line(label, x.mean(axis=0), y.mean(axis=0), error))
    return found


def best(config: preferences.Preferences, largest: float) -> Line:
    """The best reward at each divergence from the chain, up to the largest.

    Prompts end in each symbol equally often.
    """
    tilted = [preferences.tilted(config, each) for each in _TEMPERATURES[::-1]]
    kl = np.array([each.kl.mean() for each in tilted])
    reward = np.array([each.reward.mean() for each in tilted])
    shown = kl <= largest
    return Line(BEST, kl[shown], reward[shown], np.zeros(shown.sum()))


def _names(rows: Sequence[Mapping[str, str]]) -> set[str]:
    """The experiments of a table that this program knows."""
    return {row["experiment"] for row in rows} & set(EXPERIMENTS)


def draw(rows: Sequence[Mapping[str, str]], path: Path) -> None:
    """Draws the trajectories of a table, and the best front where it is known."""
    lines = trajectories(rows)
    largest = max(float(each.x.max()) for each in lines)
    for task in {EXPERIMENTS[name].environment for name in _names(rows)}:
        if isinstance(task, preferences.Preferences):
            lines.append(best(task, largest))
    lowest = min(float(each.y.min()) for each in lines)
    save(
        path,
        {"reward over distance": lines},
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
