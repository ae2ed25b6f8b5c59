"""Turns run directories into a table for `experiments/results/`, with its provenance.

python -m experiments.results runs/mdqn/cartpole runs/dqn/cartpole cartpole.csv
python -m experiments.results runs/leverage/garnet leverage_garnet.csv
"""

import csv
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from experiments import computing, curves, run_files
from launch import logs

_PROVENANCE = ("command", "code", "machine", "started")
COLUMNS = (
    "experiment",
    "seed",
    "grid",
    "actor_steps",
    "frames",
    "learner_steps",
    "mean_return",
    "returns",
    "whole_run_by_episode",
    "whole_run_by_step",
    "wall_time",
    *_PROVENANCE,
)


def rows(directory: Path) -> Iterator[dict[str, Any]]:
    """One row for each evaluation of a run, with what it takes to run it again.

    `whole_run_*` are mean training returns from the start to there; see
    `curves.Average`.
    """
    config = logs.read_config(directory)
    metrics = run_files.read_metrics(directory)
    for evaluation in logs.read_evaluations(directory):
        if not evaluation.returns:
            continue  # in lock-step no episode may have ended
        average = curves.training_average(metrics, evaluation.counts.actor_steps)
        by_episode, by_step = average or (math.nan, math.nan)
        yield {
            "experiment": config["experiment"]["name"],
            "seed": config["experiment"]["seed"],
            "grid": evaluation.grid,
            "actor_steps": evaluation.counts.actor_steps,
            "frames": evaluation.counts.frames,
            "learner_steps": evaluation.counts.learner_steps,
            "mean_return": f"{evaluation.mean_return:.6g}",
            "returns": " ".join(f"{value:g}" for value in evaluation.returns),
            "whole_run_by_episode": f"{by_episode:.6g}",
            "whole_run_by_step": f"{by_step:.6g}",
            "wall_time": evaluation.wall_time,
            **{name: config[name] for name in _PROVENANCE},
        }


def computed_rows(directory: Path) -> Iterator[dict[str, Any]]:
    """The rows of a computation, each with its seed and provenance."""
    config = logs.read_config(directory)
    added = {name: config[name] for name in _PROVENANCE}
    with (directory / computing.ROWS).open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield {**row, "seed": config["experiment"]["seed"], **added}


def main(arguments: Sequence[str]) -> int:
    """Writes the table of all runs below the directories named.

    It passes over computations, unless there is nothing else: then their rows are it.
    """
    if len(arguments) < 2 or not arguments[-1].endswith(".csv"):
        print("usage: python -m experiments.results RUN... TABLE.csv", file=sys.stderr)
        return 2
    found = sorted(
        config.parent
        for root in arguments[:-1]
        for config in Path(root).rglob(logs.CONFIG)
    )
    trained = [path for path in found if not computing.is_computed(path)]
    read = rows if trained else computed_rows
    table = [row for directory in trained or found for row in read(directory)]
    columns = COLUMNS if trained or not table else list(table[0])
    with open(arguments[-1], "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    print(f"{len(trained or found)} runs: {arguments[-1]}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
