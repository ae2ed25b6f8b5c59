"""`munchausen train <computation>`: computes rows, a picture and a table.

`munchausen train --resume DIRECTORY` continues one that was interrupted.
"""

import csv
import dataclasses
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from experiments import flags, names, output_files
from experiments.catalogue.computation import (
    PICTURE,
    ROWS,
    UNFINISHED,
    Computation,
    Computed,
    Row,
    read_rows,
)
from experiments.catalogue.unfinished import Unfinished
from experiments.flags import OverrideError
from launch.errors import RunDirectoryError
from launch.runs import run_directory, serialization
from launch.runs.lock import locked


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
    if computation.finished is not None:
        said = f"If it is interrupted: munchausen train --resume {directory}"
        print(said, flush=True)  # a signal ends the process without writing buffers
        made = (*made, [], Unfinished(directory / UNFINISHED))
    with locked(directory):
        return _compute(computation, directory, made, [])


def resume(named: str, arguments: Sequence[str]) -> int:
    """Continues an interrupted computation, with its own seed and settings.

    Args:
        named: its directory.
        arguments: the command line, which has only this directory.

    Raises:
        OverrideError: the command line has other flags, the computation cannot be
            continued, or it is complete.
        RunDirectoryError: the directory cannot be read or written, or does not fit this
            version.
    """
    for argument in arguments:
        if argument not in ("--resume", named, f"--resume={named}"):
            raise OverrideError(
                "--resume takes no other argument for a computed figure; remove "
                f"{argument}"
            )
    directory = Path(named)
    with locked(directory):
        computation, seed, settings = _configured(directory)
        if computation.finished is None:
            raise OverrideError(
                f"{computation.name} does not save parts that --resume could continue: "
                f"start it again with munchausen train {computation.name}"
            )
        try:
            written = read_rows(directory / ROWS)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise RunDirectoryError(
                f"cannot read {directory / ROWS}: {reason}; start the figure again"
            ) from error
        done = computation.finished(settings, written)
        if (directory / PICTURE).exists():
            raise OverrideError(f"the figure is complete: {directory / PICTURE}")
        run_directory.record_resume(
            directory,
            Computed(computation.name, seed, dataclasses.asdict(settings)),
            {"rows": len(done)},
        )
        unfinished = Unfinished(directory / UNFINISHED)
        print(
            f"{directory}: keeps {len(done):,} rows of complete runs; an incomplete "
            "run continues after its last saved point",
            flush=True,
        )
        made = (seed, settings, done, unfinished)
        return _compute(computation, directory, made, done)


def _configured(directory: Path) -> tuple[Computation, int, Any]:
    """The computation, seed and settings in a directory's `config.yaml`.

    Raises:
        RunDirectoryError: it does not fit this version.
    """
    plain = run_directory.read_config(directory)["experiment"]
    path = directory / run_directory.CONFIG
    computation = names.COMPUTATIONS.get(plain["name"])
    if computation is None:
        raise RunDirectoryError(
            f"{path} must name a figure of this version, got {plain['name']}: "
            "`munchausen list` has them"
        )
    found, kind = plain["settings"], type(computation.settings)
    known = dataclasses.asdict(computation.settings) if computation.settings else {}
    if different := sorted(found.keys() ^ known.keys()):
        raise RunDirectoryError(
            f"{path} does not fit this version, which differs in the setting "
            f"{different[0]}: start the figure again"
        )
    try:
        settings = serialization.from_plain(kind, found) if known else None
    except (TypeError, ValueError) as error:
        raise RunDirectoryError(f"{path} has unusable settings: {error}") from error
    return computation, plain["seed"], settings


def _compute(
    computation: Computation, directory: Path, made: tuple[Any, ...], done: list[Row]
) -> int:
    """Computes the rows that are missing, draws the picture and prints a table."""
    start = time.monotonic()
    try:
        rows = _write(directory / ROWS, done, computation.compute(*made))
        seconds = time.monotonic() - start
        # Its presence says that the figure is complete.
        with output_files.draft(directory / PICTURE) as draft:
            computation.draw(rows, draft)
        (directory / UNFINISHED).unlink(missing_ok=True)
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


def _write(path: Path, done: list[Row], rows: Iterable[Row]) -> list[Row]:
    """Keeps the rows that are done, and writes each other as soon as it is computed.

    Returns:
        All of them.
    """
    with output_files.draft(path) as draft:  # the old file stays until this is whole
        _append(draft, [], done)
    return _append(path, done, rows)


def _append(path: Path, before: list[Row], rows: Iterable[Row]) -> list[Row]:
    """Appends rows to a table; returns those before and these."""
    written = [*before]
    with path.open("a", newline="", encoding="utf-8", buffering=1) as file:
        for row in rows:
            writer = csv.DictWriter(file, list(row), lineterminator="\n")
            if not written:
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
