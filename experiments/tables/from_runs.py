"""Writes a table for `experiments/results/` from run directories, with provenance.

python -m experiments.tables.from_runs runs/mdqn/cartpole runs/dqn/cartpole cartpole.csv
python -m experiments.tables.from_runs runs/leverage/garnet leverage_garnet.csv
python -m experiments.tables.from_runs --texts runs/gkd/facts gkd_facts.csv

With `--texts`, the row of a run's last evaluation has the text metrics of its samples,
see `experiments.language_metrics`; this takes seconds for each run.
"""

import csv
import math
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from experiments import flags, language_metrics, output_files
from experiments.catalogue import computation
from experiments.flags import OverrideError
from experiments.names import GRIDS
from experiments.reporting import (
    find_runs,
    formats,
    plain_text,
    read_logs,
    read_runs,
    setting_differences,
    statistics,
)
from experiments.reporting.read_run import Run
from experiments.tables import rows as rows_of_tables
from experiments.verbs import train_arguments
from launch import output
from launch.errors import RunDirectoryError
from launch.experiment import Experiment
from launch.runs import run_directory, serialization
from launch.runs.logs import Counts, EvaluationRow

# Language tasks evaluate hundreds of completions; a row has their mean.
_MOST_RETURNS = 200
_TEXTS = "--texts"
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


def rows(run: Run) -> Iterator[dict[str, Any]]:
    """One row for each evaluation of a run, with the command and code to reproduce it.

    The command of a sweep or grid does not tell which cell a run is; `command` is then
    the one that trains this run alone.
    `whole_run_*` are mean training returns from the start of the run to the
    evaluation; see `statistics.Average`. The agent's measures have a column each.

    Raises:
        RunDirectoryError: the run did not record where it comes from.
    """
    added = _provenance(run.directory, run.config)
    if _has_cells(added["command"]):
        added["command"] = alone(run.directory, added["command"])
    for evaluation in run.evaluations:
        average = statistics.training_average(
            run.metrics, evaluation.counts.actor_steps
        )
        by_episode, by_step = average or (math.nan, math.nan)
        yield {
            "experiment": run.experiment["name"],
            "seed": run.experiment["seed"],
            "grid": evaluation.grid,
            "actor_steps": evaluation.counts.actor_steps,
            "frames": evaluation.counts.frames,
            "learner_steps": evaluation.counts.learner_steps,
            "mean_return": f"{evaluation.mean_return:.6g}",
            "returns": _returns(evaluation),
            "whole_run_by_episode": f"{by_episode:.6g}",
            "whole_run_by_step": f"{by_step:.6g}",
            "wall_time": evaluation.wall_time,
            **added,
            **_measures(run, evaluation),
        }


def _has_cells(command: str) -> bool:
    """Whether a command line sweeps, as `sweep` does and `train` of a grid."""
    return any(word == "sweep" or word in GRIDS for word in command.split())


def alone(directory: Path, command: str) -> str:
    """The command line of `train` that trains one run of a sweep.

    Args:
        directory: of the run.
        command: that it recorded, of the sweep.

    Raises:
        RunDirectoryError: today's program has no such experiment, or no flags for it.
    """
    experiment = run_directory.read_experiment(directory)
    try:
        base = rows_of_tables.without_settings(experiment, command)
        [default] = train_arguments.plan(base).experiments
        usual, own = map(_settings, (default, experiment))
        changed = [
            f"--{path}={value}"
            for path, value in own.items()
            if usual.get(path) != value
        ]
        line = [*base, f"--seed={experiment.seed}", *changed]
        found = train_arguments.plan(line).experiments
    except OverrideError as error:
        raise RunDirectoryError(
            f"the experiment of {directory}, a run of a sweep, must be one that "
            f"`train` knows: {error}; read the run with the version that began it"
        ) from error
    if found != [experiment]:
        raise RunDirectoryError(
            f"flags of `train` must be able to give the settings of {directory}, a run "
            "of a sweep, and give others: read the run with the version that began it"
        )
    return f"munchausen train {shlex.join(line)}"


def _settings(experiment: Experiment) -> dict[str, str]:
    """All fields of an experiment that flags set, by path."""
    fields = flags.fields(experiment)
    bookkeeping = {
        path: flags.show(fields[path].value) for path in run_directory.BOOKKEEPING
    }
    plain = serialization.to_plain(experiment)
    return setting_differences.flat(plain) | bookkeeping


def _returns(evaluation: EvaluationRow) -> str:
    """The return of each episode; empty if there are too many for a table."""
    if len(evaluation.returns) > _MOST_RETURNS:
        return ""
    return " ".join(f"{value:g}" for value in evaluation.returns)


def _measures(run: Run, evaluation: EvaluationRow) -> dict[str, Any]:
    """The agent's measures in an evaluation, by name."""
    plain = {"role", "wall_time", *Counts._fields}
    counts = evaluation.counts._asdict()
    return {
        name: value
        for row in run.metrics
        if row["role"] == "evaluator" and counts.items() <= row.items()
        for name, value in row.items()
        if name not in plain and not name.endswith(read_logs.WAITING)
    }


def _texts(run: Run) -> dict[str, float]:
    """Text metrics of the samples of a run's last evaluation, by name; none without."""
    if not run.samples:
        return {}
    return language_metrics.of_samples(run.samples, run.experiment["environment"])


def computed_rows(directory: Path) -> Iterator[dict[str, Any]]:
    """The rows of a computation, each with its seed and provenance.

    Raises:
        RunDirectoryError: a file cannot be read.
    """
    config = run_directory.read_config(directory)
    added = _provenance(directory, config)
    path = directory / computation.ROWS
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                yield {**row, "seed": config["experiment"]["seed"], **added}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise RunDirectoryError(f"cannot read {path}: {reason}") from error


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


class Table(NamedTuple):
    """A table about to be written.

    Attributes:
        columns: names of the columns.
        rows: cells by column.
        notes: one sentence for each run that the table lacks, in whole or in part.
    """

    columns: Sequence[str]
    rows: list[dict[str, Any]]
    notes: list[str]


def table(roots: Sequence[Path], texts: bool = False) -> Table:
    """The table of the trained runs below some folders; of computations if none is.

    Args:
        roots: folders with runs.
        texts: whether the row of a run's last evaluation has its text metrics.

    Raises:
        ModuleNotFoundError: the package of a text metric is not installed.
        RunDirectoryError: a folder does not exist, no run can be read, or the
            computed figures have different columns.
    """
    found = find_runs.find(roots)
    trained, computed = list[Path](), list[Path]()
    for path in found.runs:
        (computed if computation.is_computed(path) else trained).append(path)
    if not trained and computed:
        return _computations(computed, found.left_out)
    reading = read_runs.read_each(trained)
    notes, written = [*found.left_out, *reading.left_out], []
    if computed:
        notes.append(f"left out {formats.plural(len(computed), 'computed figure')}")
    for run in reading.runs:
        try:
            own = list(rows(run))
            if own and texts:
                own[-1] |= _texts(run)
            written += own
        except RunDirectoryError as error:
            notes.append(plain_text.one_line(error))
    if not written:
        raise RunDirectoryError(read_runs.none_shown(notes))
    measured = [name for row in written for name in row if name not in COLUMNS]
    columns = [*COLUMNS, *dict.fromkeys(measured)]
    incomplete = [run.progress for run in reading.runs if not run.complete]
    return Table(columns, written, [*notes, *incomplete, *reading.points])


def _computations(found: Sequence[Path], notes: list[str]) -> Table:
    """The table of computed figures.

    Raises:
        RunDirectoryError: the computed figures have different columns, or none can be
            read.
    """
    written = []
    for path in found:
        try:
            written += list(computed_rows(path))
        except RunDirectoryError as error:
            notes.append(plain_text.one_line(error))
    if not written:
        raise RunDirectoryError(read_runs.none_shown(notes))
    columns = list(dict.fromkeys(name for row in written for name in row))
    if any(len(row) < len(columns) for row in written):
        raise RunDirectoryError(
            "the computed figures have different columns; name only one of them"
        )
    return Table(columns, written, notes)


def main(arguments: Sequence[str]) -> int:
    """Writes the table of all runs below the directories named.

    Skips computed figures, unless the directories hold nothing else; then it writes
    their rows.
    """
    texts = _TEXTS in arguments
    arguments = [each for each in arguments if each != _TEXTS]
    if len(arguments) < 2 or not arguments[-1].endswith(".csv"):
        print(
            f"usage: python -m experiments.tables.from_runs [{_TEXTS}] RUN... "
            "TABLE.csv",
            file=sys.stderr,
        )
        return 2
    *roots, output = map(Path, arguments)
    try:
        output_files.check_writable(output)
        found = table(roots, texts)
        output_files.write_table(output, found.columns, found.rows)
    except (ModuleNotFoundError, RunDirectoryError) as error:
        print(f"results: {error}", file=sys.stderr)
        return 2
    for note in found.notes:
        print(f"results: {note}", file=sys.stderr)
    print(f"{formats.plural(len(found.rows), 'row')}: {output}")
    return 0


if __name__ == "__main__":
    output.guard()
    sys.exit(main(sys.argv[1:]))
