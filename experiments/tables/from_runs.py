"""Writes a table for `experiments/results/` from run directories, with provenance.

python -m experiments.tables.from_runs runs/mdqn/cartpole runs/dqn/cartpole cartpole.csv
python -m experiments.tables.from_runs runs/leverage/garnet leverage_garnet.csv
"""

import csv
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments import output_files
from experiments.catalogue import computation
from experiments.reporting import formats, read_runs, statistics
from launch.errors import RunDirectoryError
from launch.runs import logs, run_directory

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
    "resumed",
)


def rows(directory: Path) -> Iterator[dict[str, Any]]:
    """One row for each evaluation of a run, with the command and code to reproduce it.

    `whole_run_*` are mean training returns from the start of the run to the
    evaluation; see `statistics.Average`.
    """
    config = run_directory.read_config(directory)
    added = _provenance(directory, config)
    metrics = read_runs.read_metrics(directory)
    for evaluation in logs.read_evaluations(directory):
        if not evaluation.returns:
            continue  # in lock-step, possibly no episode has ended yet
        average = statistics.training_average(metrics, evaluation.counts.actor_steps)
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
            **added,
        }


def computed_rows(directory: Path) -> Iterator[dict[str, Any]]:
    """The rows of a computation, each with its seed and provenance."""
    config = run_directory.read_config(directory)
    added = _provenance(directory, config)
    with (directory / computation.ROWS).open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield {**row, "seed": config["experiment"]["seed"], **added}


def _provenance(directory: Path, config: Mapping[str, Any]) -> dict[str, str]:
    """A run's command, code version, machine and start; `resumed`: later commands.

    Raises:
        RunDirectoryError: the run did not record one of them.
    """
    resumed = config.get("resumed", [])
    for start in (config, *resumed):
        for name in _PROVENANCE:
            if name not in start:
                raise RunDirectoryError(
                    f"{directory / run_directory.CONFIG} has no {name}"
                )
    starts = [f"{each['command']} ({each['code']})" for each in resumed]
    first = {name: str(config[name]) for name in _PROVENANCE}
    return first | {"resumed": "; ".join(starts)}


def _find(roots: Sequence[Path]) -> list[Path]:
    """Finds all run directories below some folders.

    Raises:
        RunDirectoryError: a folder has none.
    """
    found = set()
    for root in roots:
        below = {config.parent for config in root.rglob(run_directory.CONFIG)}
        if not below:
            raise RunDirectoryError(
                f"{root} holds no run: no {run_directory.CONFIG} there"
            )
        found |= below
    return sorted(found)


def _table(found: Sequence[Path]) -> tuple[Sequence[str], list[dict[str, Any]]]:
    """Columns and rows of the trained runs; of the computed figures if there are none.

    Raises:
        RunDirectoryError: the computed figures have different columns.
    """
    trained = [path for path in found if not computation.is_computed(path)]
    if trained:
        return COLUMNS, [row for path in trained for row in rows(path)]
    table = [row for path in found for row in computed_rows(path)]
    columns = list(dict.fromkeys(name for row in table for name in row))
    if any(len(row) < len(columns) for row in table):
        raise RunDirectoryError(
            "the computed figures have different columns; name only one of them"
        )
    return columns, table


def main(arguments: Sequence[str]) -> int:
    """Writes the table of all runs below the directories named.

    Skips computed figures, unless the directories hold nothing else; then it writes
    their rows.
    """
    if len(arguments) < 2 or not arguments[-1].endswith(".csv"):
        print(
            "usage: python -m experiments.tables.from_runs RUN... TABLE.csv",
            file=sys.stderr,
        )
        return 2
    *roots, output = map(Path, arguments)
    try:
        output_files.check_writable(output)
        columns, table = _table(_find(roots))
        with output_files.draft(output) as draft:
            with draft.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, columns, lineterminator="\n")
                writer.writeheader()
                writer.writerows(table)
    except RunDirectoryError as error:
        print(f"results: {error}", file=sys.stderr)
        return 2
    print(f"{formats.plural(len(table), 'row')}: {output}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
