"""`munchausen sweep`: trains every combination of some fields' values."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from experiments import output_files
from experiments.flags import OverrideError
from experiments.verbs import sweep_arguments, sweep_values, train_arguments
from experiments.verbs.sweep_arguments import Cell, Sweep
from launch.errors import RunFailed

_USAGE = f"""\
usage: munchausen sweep <experiment> --<field> <values> [--<field> <values> ...]
                        [--seeds N] [--optuna N] [--output FILE.csv] [--dry_run true]
                        [--measure training] [--only_results true]

Trains each combination of values, a cell, like `munchausen train` with these values.
Any field of `train` can have several values:

{sweep_values.SYNTAX}

Seed 0 of each cell comes first. Repeat the command to continue it: complete runs below
--runs are kept, interrupted and failed runs resume, missing runs start, also after you
add values or seeds. A failed run does not end the others; the exit code is then 1.

At its end the command prints a table of the cells. It writes the return of each run to
a CSV file, and next to it a PNG: a curve of one field, a heat map of two, or for more
fields a heat map of the first two with the highest mean over the others. The best cell
has the highest mean over its seeds, of the cells in which every seed is complete.

  --optuna N  Optuna's TPE sampler chooses N cells, with --seed as its seed, to find the
              highest mean over the seeds. It chooses from the values of each field, or
              from a range without a step. The same command continues the search; a
              larger N extends it. `make optuna` installs Optuna.
  --output    CSV file; default sweep-<time>.csv in the folder of the experiment's runs
  --dry_run   true: only lists the cells
  --measure   the return of a run: evaluation, the default: the mean of its last
              evaluation; training: the mean of its training episodes over all steps
  --only_results
              true: starts no run, and shows the results of those that are complete

Ranges for --optuna:

{sweep_values.RANGE_SYNTAX}
"""


def help_text(arguments: Sequence[str]) -> str:
    """Help, with the fields of the experiment that a command line names.

    Raises:
        OverrideError: the command line names something that does not exist.
    """
    _, *lines = train_arguments.help_lines(arguments)  # without the usage of `train`
    return "\n".join([_USAGE.rstrip(), *lines])


HELP = help_text


def main(arguments: Sequence[str]) -> int:
    """Runs the cells of a command line; prints and writes their results.

    Raises:
        OverrideError: a mistake on the command line, or a cell that cannot run.
        RunDirectoryError: a run directory or an output cannot be written or read.
        RunFailed: some runs failed; the results of the others are written.
        RunStopped: a signal ended the runs, which saved themselves.
    """
    sweep = sweep_arguments.read(arguments)
    if sweep.options.optuna is not None:
        from experiments.verbs import sweep_optuna

        return sweep_optuna.run(sweep, _output(sweep))
    cells = sweep.cells()
    output = _output(sweep, cells)
    count = sum(len(cell.experiments) for cell in cells)
    print(f"{len(cells):,} cells, {count:,} runs", flush=True)
    if sweep.options.dry_run:
        print("\n".join(cell.label for cell in cells))
        return 0
    from experiments.verbs import sweep_results

    measure = sweep_results.MEASURES[sweep.options.measure]
    failure: RunFailed | None = None
    if not sweep.options.only_results:
        cells, failure = _run(sweep, cells, count)
    elif not Path(sweep.train.runs).is_dir():
        raise OverrideError(
            f"--only_results shows runs below --runs, but {sweep.train.runs} is not a "
            "directory"
        )
    elif cells[0].experiments[0].initial:
        raise OverrideError(
            f"--only_results cannot show {sweep.name}, whose runs begin with weights "
            "of other runs: remove it, and complete runs are kept"
        )
    results = sweep_results.collect(cells, sweep.train.runs, measure)
    sweep_results.show(results, sweep, output)
    if failure is not None:
        raise failure
    return 0


def _run(
    sweep: Sweep, cells: Sequence[Cell], count: int
) -> tuple[list[Cell], RunFailed | None]:
    """Runs the cells that are missing or were cut short.

    Runs that give them their first weights come first.

    Returns:
        The cells, with those runs, and the failure of some runs if there was one.
    """
    from experiments.verbs import sweep_runs, train_runs
    from launch.runs import existing_runs

    limit = sweep_runs.at_once(sweep.train, count)
    for cell in cells:
        sweep_runs.check(cell, sweep.train, limit)
    whole = [sweep_runs.provided(cell, sweep.train) for cell in cells]
    finder = existing_runs.Finder(sweep.train.runs)
    entries = [
        finder.find(cell.experiments[rank])._replace(label=cell.label)
        for cell, rank in sweep_runs.seeds_in_turn(whole)
    ]
    print(train_runs.overview(entries), flush=True)
    left = [entry for entry in entries if entry.is_left]
    try:
        sweep_runs.run(left, sweep.train, limit, len(left))
    except RunFailed as error:
        return whole, error
    return whole, None


def _output(sweep: Sweep, cells: Sequence[Cell] = ()) -> Path:
    """The CSV file to write; checks a file that the user chose.

    By default it is in the folder of the runs, if all of `cells` have the same.

    Raises:
        RunDirectoryError: it or the picture next to it cannot be written.
    """
    if sweep.options.output is None:
        names = {each.name for cell in cells for each in cell.experiments}
        [name] = names if len(names) == 1 else [sweep.name]
        stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
        return Path(sweep.train.runs) / name / f"sweep-{stamp}.csv"
    path = Path(sweep.options.output)
    for each in (path, path.with_suffix(".png")):
        output_files.check_writable(each)
    return path
