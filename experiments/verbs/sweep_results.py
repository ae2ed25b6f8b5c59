"""The results of a sweep: a table on the terminal, a CSV file, and a picture."""

import csv
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from experiments import flags, output_files
from experiments.reporting import formats
from experiments.verbs.sweep_arguments import Cell, Sweep, brief, short_names
from experiments.verbs.sweep_values import Range
from experiments.verbs.train_summary import final_return
from launch.errors import RunDirectoryError
from launch.runs.existing_runs import Entry, Finder


class Measure(NamedTuple):
    """What the return of a run is.

    Attributes:
        text: in words.
        of: its value for a run directory; None if the run has none.
    """

    text: str
    of: Callable[[Path], float | None]


def training_return(directory: Path) -> float | None:
    """Mean return of a run's training episodes over its steps; None without episodes.

    "Leverage the Average" has this measure (appendix E.4).
    """
    from experiments.reporting import read_logs, statistics  # late: numpy

    average = statistics.training_average(read_logs.read_metrics(directory).rows)
    return None if average is None else average.by_step


MEASURES = {
    "evaluation": Measure("mean return of the last evaluation", final_return),
    "training": Measure("mean training return over all steps", training_return),
}


class Result(NamedTuple):
    """A cell and what came out of it.

    Attributes:
        cell: the cell.
        entries: the run of each seed, as it is in the run directory now.
        returns: of each complete run; None for the other runs.
        measure: what a return is.
    """

    cell: Cell
    entries: Sequence[Entry]
    returns: Sequence[float | None]
    measure: Measure = MEASURES["evaluation"]

    @property
    def known(self) -> list[float]:
        """The returns of the complete runs."""
        return [value for value in self.returns if value is not None]

    @property
    def mean(self) -> float | None:
        """Their mean; None without any."""
        return sum(self.known) / len(self.known) if self.known else None

    @property
    def complete(self) -> bool:
        """Whether every seed has a return."""
        return None not in self.returns

    @property
    def seeds(self) -> str:
        """How many seeds are complete, such as `2 of 3`."""
        return f"{len(self.known)} of {len(self.returns)}"


def collect(
    cells: Sequence[Cell], root: str, measure: Measure = MEASURES["evaluation"]
) -> list[Result]:
    """Reads the results of cells from their run directories.

    Raises:
        RunDirectoryError: the logs of a run cannot be read.
    """
    finder = Finder(root)
    found = []
    for cell in cells:
        entries = [finder.find(experiment) for experiment in cell.experiments]
        returns = [_return(entry, measure) for entry in entries]
        found.append(Result(cell, entries, returns, measure))
    return found


def _return(entry: Entry, measure: Measure) -> float | None:
    if entry.state != "complete" or entry.directory is None:
        return None
    return measure.of(entry.directory)


def best(results: Sequence[Result]) -> list[Result]:
    """The cells with the highest mean, of those in which every seed is complete."""
    means = {
        rank: result.mean
        for rank, result in enumerate(results)
        if result.complete and result.mean is not None and math.isfinite(result.mean)
    }
    highest = max(means.values(), default=None)
    return [results[rank] for rank, mean in means.items() if mean == highest]


def show(results: Sequence[Result], sweep: Sweep, output: Path) -> None:
    """Prints the table of the results; writes the CSV file and the picture.

    Args:
        results: of all cells; if there are none, nothing is written.
        sweep: what was run.
        output: the CSV file; the picture has its name, with the suffix .png.

    Raises:
        RunDirectoryError: a file cannot be written.
    """
    if not results:
        return
    print(table(results))
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunDirectoryError(f"cannot write {output}: {error.strerror}") from error
    write_csv(output, results)
    print(output)
    if any(result.known for result in results):
        picture = output.with_suffix(".png")
        write_picture(picture, sweep, results)
        print(picture)
    sys.stdout.flush()


def table(results: Sequence[Result]) -> str:
    """A line for each cell, the best one marked; then the runs without a return."""
    paths = list(results[0].cell.values)
    rows = [(*short_names(paths), "return", "lowest", "highest", "seeds", "")]
    winners = best(results)
    for result in results:
        known, mean = result.known, result.mean
        numbers = (mean, min(known, default=None), max(known, default=None))
        shown = ["none" if value is None else f"{value:.4g}" for value in numbers]
        values = map(brief, result.cell.values.values())
        mark = "best" if result in winners else ""
        rows.append((*values, *shown, result.seeds, mark))
    measure = results[0].measure.text
    lines = [*flags.align(rows), f"return: {measure}, averaged over complete seeds"]
    for result in results:
        for entry, value in zip(result.entries, result.returns, strict=True):
            if value is None:
                lines.append(_without(result.cell, entry))
    return "\n".join(lines)


def _without(cell: Cell, entry: Entry) -> str:
    """The line of a run that has no return."""
    state = "no evaluated episode" if entry.state == "complete" else entry.state
    where = f", {entry.directory}" if entry.directory else ""
    return (
        f"without a return: {cell.label}, seed {entry.experiment.seed}: {state}{where}"
    )


def write_csv(path: Path, results: Sequence[Result]) -> None:
    """Writes a row for each cell and seed; the return of a run without one is empty.

    Raises:
        RunDirectoryError: the file cannot be written.
    """
    paths = list(results[0].cell.values)
    columns = [*paths, "seed", "state", "return", "experiment", "directory"]
    with output_files.draft(path) as draft:
        with draft.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            for result in results:
                values = [flags.show(value) for value in result.cell.values.values()]
                for entry, value in zip(result.entries, result.returns, strict=True):
                    experiment = entry.experiment
                    shown = "" if value is None else f"{value:.6g}"
                    row = [experiment.seed, entry.state, shown, experiment.name]
                    writer.writerow([*values, *row, entry.directory or ""])


def write_picture(path: Path, sweep: Sweep, results: Sequence[Result]) -> None:
    """Draws a curve of one field, a heat map of several, or the cells of Optuna.

    Args:
        path: the PNG file.
        sweep: what was run.
        results: of all cells.

    Raises:
        RunDirectoryError: the file cannot be written.
    """
    from experiments.reporting import sweep_plots  # late: imports matplotlib

    winners = best(results)
    points = [
        sweep_plots.Point(
            tuple(result.cell.values.values()),
            tuple(map(brief, result.cell.values.values())),
            result.mean,
            min(result.known, default=None),
            max(result.known, default=None),
            "" if result.complete else result.seeds,
            result in winners,
        )
        for result in results
    ]
    seeds = formats.plural(len(results[0].returns), "seed")
    names = short_names(results[0].cell.values)
    title = f"{sweep.name}, {results[0].measure.text}, {seeds}"
    if sweep.options.optuna is None:
        content = sweep_plots.grid(names, points, title)
    else:
        logarithmic = [_is_logarithmic(each) for each in sweep.swept.values()]
        content = sweep_plots.slices(names, points, title, logarithmic)
    with output_files.draft(path) as draft:
        draft.write_bytes(content)


def _is_logarithmic(found: tuple[Any, ...] | Range) -> bool:
    """Whether a field's values are better shown on a logarithmic axis."""
    if isinstance(found, Range):
        return found.log
    numbers = all(isinstance(value, int | float) for value in found)
    return numbers and min(found) > 0 and max(found) >= 20 * min(found)
