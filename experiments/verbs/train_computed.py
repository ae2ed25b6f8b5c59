"""`munchausen train <computation>`: computes rows, a picture and a table."""

import csv
import dataclasses
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from experiments import flags, names
from experiments.catalogue.computation import (
    PICTURE,
    ROWS,
    Computation,
    Computed,
    Row,
)
from experiments.flags import OverrideError
from launch.errors import RunDirectoryError
from launch.runs import run_directory


@dataclasses.dataclass(frozen=True)
class Options:
    """Flags of a computation.

    Attributes:
        seed: of everything random.
        runs: root of the run directories.
    """

    seed: int = 0
    runs: str = "runs"

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"must be at least 0, got {self.seed}")


def help_text(arguments: Sequence[str]) -> str:
    """Description and flags of the computation that a command line names."""
    computation = _named(arguments)
    rows = [
        (
            f"--{path}",
            flags.type_name(field.annotation),
            flags.show(field.value),
            field.help,
        )
        for path, field in (_own(computation) | flags.fields(Options())).items()
    ]
    lines = [
        f"usage: munchausen train {computation.name} [--<field> <value> ...]",
        "",
        f"{computation.name}: {computation.description}",
        "",
        f"Writes {ROWS} and {PICTURE} into a run directory and prints a table of the",
        "last rows. Nothing is trained.",
        "",
        *flags.align([("field", "type", "value", ""), *rows]),
    ]
    return "\n".join(lines)


HELP = help_text


def main(arguments: Sequence[str]) -> int:
    """Computes the named figure, writes its files and prints a table.

    Raises:
        OverrideError: a mistake on the command line.
        RunDirectoryError: a file cannot be written.
    """
    computation = _named(arguments)
    own = _own(computation)
    plain, values = flags.read(arguments, flags.fields(Options()) | own)
    if len(plain) > 1:
        raise OverrideError(
            f"train takes one experiment at a time, got {plain[0]} and {plain[1]}"
        )
    given = {path: value for path, value in values.items() if path not in own}
    options = flags.replace(Options(), given, "--")
    made: tuple[Any, ...] = (options.seed,)
    settings: dict[str, Any] = {}
    if computation.settings is not None:
        changes = {path: value for path, value in values.items() if path in own}
        changed = flags.replace(computation.settings, changes, "--")
        settings, made = dataclasses.asdict(changed), (options.seed, changed)
    directory = run_directory.create(
        options.runs, Computed(computation.name, options.seed, settings)
    )
    print(directory, flush=True)
    start = time.monotonic()
    try:
        rows = _write(directory / ROWS, computation.compute(*made))
        seconds = time.monotonic() - start
        computation.draw(rows, directory / PICTURE)
    except OSError as error:
        raise RunDirectoryError(
            f"cannot write to {directory}: {error.strerror}"
        ) from error
    print("\n".join(table(rows)))
    print(f"{len(rows)} rows in {seconds:.0f} s: {directory / ROWS}, {PICTURE}")
    return 0


def _own(computation: Computation) -> dict[str, flags.Field]:
    """The flags of a computation alone."""
    if computation.settings is None:
        return {}
    return flags.fields(computation.settings)


def _write(path: Path, rows: Iterable[Row]) -> list[Row]:
    """Writes each row as soon as it is computed; returns all of them."""
    written: list[Row] = []
    with path.open("w", newline="", encoding="utf-8", buffering=1) as file:
        for row in rows:
            if not written:
                writer = csv.DictWriter(file, list(row), lineterminator="\n")
                writer.writeheader()
            writer.writerow(row)
            written.append(row)
    return written


def _named(arguments: Sequence[str]) -> Computation:
    """The first computation that a command line names; there must be one."""
    named = next(argument for argument in arguments if argument in names.COMPUTATIONS)
    return names.COMPUTATIONS[named]


def table(rows: Sequence[Row]) -> list[str]:
    """A table with the last row of each combination of the text columns."""
    words = [name for name, value in rows[0].items() if isinstance(value, str)]
    last = {tuple(row[name] for name in words): row for row in rows}
    shown = last.values() if words else rows
    lines = [tuple(map(_cell, row.values())) for row in shown]
    return flags.align([tuple(rows[0]), *lines])


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
