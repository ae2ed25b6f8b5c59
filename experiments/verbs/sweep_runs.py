"""Checks and runs the cells of a sweep; one failed run does not end the others."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from experiments.flags import OverrideError
from experiments.verbs import train_initial, train_runs
from experiments.verbs.sweep_arguments import Cell
from experiments.verbs.train_arguments import Options, Plan
from launch import errors
from launch.engines import side_by_side
from launch.engines.side_by_side import Ended
from launch.errors import RunDirectoryError, RunFailed
from launch.runs.existing_runs import Entry


def check(cell: Cell, options: Options, at_once: int = 1) -> None:
    """Refuses a cell that cannot run, before any run starts.

    Args:
        cell: the cell, of which all seeds have the same settings.
        options: flags of `train`.
        at_once: number of such runs that share this machine's memory.

    Raises:
        OverrideError: agent, environment and machine do not fit; names the cell.
    """
    first = cell.experiments[0]
    try:
        ready = train_runs.check(
            first, options.launch, options.wandb, at_once, here=False
        )
    except (OverrideError, RunDirectoryError) as error:
        raise OverrideError(f"cell {cell.label}: {error}") from error
    train_runs.print_notes([ready])


def provided(cell: Cell, options: Options) -> Cell:
    """The cell, with the origins of the first weights of its runs.

    Raises: see `train_initial.provided`.
    """
    plan = train_initial.provided(Plan(list(cell.experiments), options, continued=True))
    return cell._replace(experiments=plan.experiments)


def at_once(options: Options, runs: int) -> int:
    """Number of runs at the same time; one unless the runs are local."""
    if options.launch != "local":
        return 1
    return side_by_side.at_once(options.parallel, runs)


def seeds_in_turn(cells: Sequence[Cell]) -> list[tuple[Cell, int]]:
    """Each cell's first seed, then each cell's second, and so on: cell and rank."""
    ranks = range(max((len(cell.experiments) for cell in cells), default=0))
    return [(cell, rank) for rank in ranks for cell in cells]


def run(
    entries: Iterable[Entry],
    options: Options,
    limit: int,
    total: int,
    ended: Ended = lambda *_: None,
) -> None:
    """Runs entries as they come: local ones side by side, others one after the other.

    Args:
        entries: the runs; the next one is taken when there is room for it.
        options: flags of `train`.
        limit: number of runs at once.
        total: number of entries.
        ended: see `side_by_side.Ended`.

    Raises:
        RunFailed: some runs failed; the others were run to their end.
        RunStopped: a signal ended the runs, which saved themselves.
        RunDirectoryError: a run directory cannot be written.
    """
    if options.launch != "local":
        _run_in_turn(entries, options, total, ended)
        return
    try:
        side_by_side.run(
            entries,
            options.runs,
            limit,
            options.wandb,
            grace=options.grace,
            total=total,
            ended=ended,
        )
    except errors.Interrupted as error:
        said = f"{error}; continue with the same command"
        raise errors.RunStopped(said, error.signal) from error


def _run_in_turn(
    entries: Iterable[Entry], options: Options, total: int, ended: Ended
) -> None:
    """Runs programs of threads or processes."""
    failed = []
    here = options.launch == "threads"
    for entry in entries:
        directory, succeeded = entry.directory or Path(options.runs), False
        try:
            ready = train_runs.check(
                entry.experiment, options.launch, options.wandb, here=here
            )
            taken = train_runs.run_here(entry, options, ready)
            directory, succeeded = taken.directory, taken.entry.state != "held"
        except (OverrideError, RunDirectoryError, RunFailed) as error:
            failed.append(entry.title)
            print(f"{entry.title} failed: {error}", file=sys.stderr, flush=True)
        ended(entry, directory, succeeded)
    if failed:
        raise RunFailed(f"{len(failed)} of {total} runs failed: {', '.join(failed)}")
