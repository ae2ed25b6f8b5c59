"""`munchausen train <grid>`: sweeps each experiment of a grid, with a heat map each."""

from collections.abc import Sequence

from experiments import names
from experiments.catalogue.grid import Grid
from experiments.flags import OverrideError
from experiments.verbs import sweep, sweep_arguments
from launch.errors import RunFailed


def help_text(arguments: Sequence[str]) -> str:
    """Description and sweeps of the grid that a command line names."""
    grid = _named(arguments)
    lines = [
        f"usage: munchausen train {grid.name} [--<field> <values> ...]",
        "",
        f"{grid.name}: {grid.description}",
        "",
        "Does these, one after the other; each writes its table and its heat map:",
        "",
        *("  munchausen sweep " + " ".join(line) for line in grid.lines()),
        "",
        "A flag replaces the value above, for all of them. Repeat the command to",
        "continue it: complete runs are kept. `--only_results true` starts no run and",
        "draws the complete runs. `munchausen sweep --help` explains values and flags.",
    ]
    return "\n".join(lines)


HELP = help_text


def main(arguments: Sequence[str]) -> int:
    """Sweeps the experiments of the named grid; checks all cells before the first run.

    Raises:
        OverrideError: a mistake on the command line, or a cell that cannot run.
        RunDirectoryError: a run directory or an output cannot be written or read.
        RunFailed: some runs failed; the results of the others are written.
        RunStopped: a signal ended the runs, which saved themselves.
    """
    grid = _named(arguments)
    lines = grid.lines(_given(grid, arguments))
    for line in lines:
        sweep_arguments.read(line).cells()
    failed = []
    for line in lines:
        print(line[0], flush=True)
        try:
            sweep.main(line)
        except RunFailed as error:
            failed.append(f"{line[0]}: {error}")
    if failed:
        raise RunFailed("; ".join(failed))
    return 0


def _named(arguments: Sequence[str]) -> Grid:
    """The first grid that a command line names; there must be one."""
    return next(names.GRIDS[each] for each in arguments if each in names.GRIDS)


def _given(grid: Grid, arguments: Sequence[str]) -> dict[str, str]:
    """The flags of a command line, by name.

    Raises:
        OverrideError: it names something else as well, or a flag is given twice, has no
            value, or does not fit several experiments.
    """
    given: dict[str, str] = {}
    for path, text, whole in sweep_arguments.tokens(arguments):
        if whole == [grid.name]:
            continue
        if not path:
            raise OverrideError(
                f"train takes one grid at a time, got {grid.name} and {whole[0]}"
            )
        if text is None:
            raise OverrideError(f"--{path} needs a value")
        if path in given:
            raise OverrideError(f"--{path} is given twice")
        given[path] = text
    if "output" in given and len(grid.experiments) > 1:
        raise OverrideError(
            f"--output names one file, and {grid.name} makes {len(grid.experiments)}: "
            "remove --output; each table is then in the folder of its experiment's runs"
        )
    return given
