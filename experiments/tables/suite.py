"""Aggregates tables in `experiments/results/` over a suite, without their runs.

python -m experiments.tables.suite minatar-5 minatar_suite.csv minatar_suite.png

It prints the suite's missing runs, the normalised aggregates and the gains over DQN, as
`munchausen report --suite` has them, and draws the profiles and gains.
"""

import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from experiments import flags, output_files
from experiments.catalogue import suites
from experiments.flags import OverrideError
from experiments.reporting import formats, plots, suite_runs, suite_section
from experiments.reporting.read_run import Run
from experiments.reporting.read_runs import Group
from experiments.tables import redraw, rows
from launch import output
from launch.errors import RunDirectoryError
from launch.runs import serialization
from launch.runs.logs import Counts, EvaluationRow

_PICTURES = (".png", ".svg")
_AGGREGATES = ("mean", "median", "IQM", "optimality gap", "seeds")
_GAINS = ("tasks above", "median gain", "mean gain", "P(improvement)", "95 %")


class Groups(NamedTuple):
    """The runs in some tables.

    Attributes:
        found: those of one agent together.
        notes: sentences about rows left out.
    """

    found: list[Group]
    notes: list[str]


def groups(tables: Iterable[Path]) -> Groups:
    """Reads the runs in some tables.

    Raises:
        ValueError: a file is not a table of evaluations, today's program does not
            accept a row's command, or two runs have the same label and seed.
    """
    by_line: dict[redraw.Line, dict[int, Run]] = {}
    notes: list[str] = []
    for path in tables:
        table = rows.points(path)
        notes += table.notes
        for row, point in table.found:
            own = by_line.setdefault(redraw.line(row["experiment"], row["command"]), {})
            if point.seed not in own:
                own[point.seed] = _run(row, point.seed)
            if any(each.grid == point.grid for each in own[point.seed].evaluations):
                raise ValueError(
                    f"{path}: {row['command']!r} is at {point.grid} steps twice"
                )
            own[point.seed] = _extended(own[point.seed], point)
    found = [
        Group(own.label, [runs[seed] for seed in sorted(runs)])
        for own, runs in by_line.items()
    ]
    return Groups(found, notes)


def _run(row: dict[str, str], seed: int) -> Run:
    """A run without evaluations."""
    experiment = rows.planned(row["experiment"], row["command"])
    plain = serialization.to_plain(experiment) | {"seed": seed}
    return Run(Path(row["command"]), {"experiment": plain}, [], [], 0, 0, False)


def _extended(run: Run, point: rows.Point) -> Run:
    """The run with one more evaluation."""
    counts = Counts(actor_steps=point.grid)
    one = EvaluationRow(point.grid, counts, [point.value], [], 0.0)
    evaluations = sorted([*run.evaluations, one])
    last = evaluations[-1].grid
    return run._replace(evaluations=evaluations, evaluated=last, end=last)


def lines(section: dict[str, Any]) -> Iterator[str]:
    """The section of a report on a suite, as lines of text."""
    yield f"Suite {section['name']}: runs of {section['played']}"
    yield from section["missing"]
    tasks = [
        (f"{task['name']}, {task['reached']}", label, *cells)
        for task in section["tasks"]
        for label, cells in task["agents"]
    ]
    scales = [name for name, _ in section["scales"]]
    yield ""
    yield from flags.align(
        [("task", "agent", "seeds", "return", "95 %", *scales), *tasks]
    )
    for each in section["aggregates"]:
        yield ""
        yield f"{each['scale']}, over {formats.plural(len(each['tasks']), 'task')}"
        yield from each["left_out"]
        found = [
            (label, *(" ".join(filter(None, cell)) for cell in cells))
            for label, cells in each["rows"]
        ]
        yield from flags.align([("agent", *_AGGREGATES), *found])
    against = [(each["label"], *each["cells"]) for each in section["against"]]
    if against:
        yield ""
        yield from flags.align([(f"against {section['baseline']}", *_GAINS), *against])


def main(arguments: Sequence[str]) -> int:
    """Aggregates the tables named on the command line, and draws them on request."""
    pictures = [Path(each) for each in arguments if each.lower().endswith(_PICTURES)]
    name, *tables = [each for each in arguments if Path(each) not in pictures] or [""]
    if not tables or len(pictures) > 1:
        usage = (
            "usage: python -m experiments.tables.suite SUITE TABLE.csv... "
            "[PICTURE.png|svg]"
        )
        print(usage, file=sys.stderr)
        return 2
    try:
        suite = suites.look_up(name)
        for picture in pictures:
            output_files.check_writable(picture)
        read = groups(map(Path, tables))
        runs = suite_runs.sort(read.found, name, suite)
        looks = plots.looks(runs.labels)
        print("\n".join(lines(suite_section.section(name, suite, runs, None, looks))))
        for picture in pictures:
            format_ = picture.suffix[1:].lower()
            with output_files.draft(picture) as draft:
                draft.write_bytes(suite_section.picture(runs, None, looks, format_))
    except (OSError, OverrideError, RunDirectoryError, ValueError, csv.Error) as error:
        print(f"suite: {error}", file=sys.stderr)
        return 2
    for note in read.notes:
        print(f"suite: {note}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    output.guard()
    sys.exit(main(sys.argv[1:]))
