"""Computed figures: rows computed from a seed, without training, and a picture."""

import csv
import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from launch.runs import run_directory

Row = dict[str, Any]


class Computation(NamedTuple):
    """A figure or table of a paper that is computed, not trained.

    Attributes:
        name: `<paper>/<figure>`, as the command line takes it.
        description: one line.
        compute: maps a seed, and settings if there are any, to the rows of one long
            table, with equal keys in every row. Equal arguments give equal rows.
        draw: makes a picture of such rows, in the format of the path's suffix.
        settings: a dataclass of what flags can change; none: nothing.
        finished: maps settings, and the rows that an interrupted computation wrote, to
            the rows that need not be computed again; `compute` then takes those as a
            third argument, and leaves them out, and an `Unfinished` as a fourth. None:
            a computation cannot resume.
    """

    name: str
    description: str
    compute: Callable[..., Iterable[Row]]
    draw: Callable[[list[Row], Path], None]
    settings: Any = None
    finished: Callable[[Any, list[Row]], list[Row]] | None = None


ROWS = "rows.csv"
PICTURE = "figure.png"
UNFINISHED = "unfinished.npz"


@dataclasses.dataclass(frozen=True)
class Computed:
    """The experiment in a computation's `config.yaml`.

    Attributes:
        name: of the computation.
        seed: of everything random.
        settings: of the computation, by name.
    """

    name: str
    seed: int
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def value(text: str) -> str | float:
    """A cell of a table as the whole number, number or word that it holds."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def read_rows(path: Path) -> list[Row]:
    """Reads the complete rows of a computation's table. A missing file has none.

    A computation that is killed, or whose disk is full, may leave part of a line.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not text, or a line has more or fewer cells than the first.
    """
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    whole = lines[:-1] if lines and not lines[-1].endswith("\n") else lines
    names, *cells = csv.reader(whole) if whole else [[]]
    return [
        {name: value(text) for name, text in zip(names, row, strict=True)}
        for row in cells
    ]


def is_computed(directory: Path) -> bool:
    """Whether a directory with a `config.yaml` is a computation's, not a run's.

    False if the file cannot be read; `run_directory.read_config` gives the reason.
    """
    path = directory / run_directory.CONFIG
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            _, kind = next(file, ""), next(file, "")
    except OSError:
        return False
    return kind.strip() == f"kind: {Computed.__name__}"
