"""Computed figures: rows computed from a seed, without training, and a picture."""

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
    """

    name: str
    description: str
    compute: Callable[..., Iterable[Row]]
    draw: Callable[[list[Row], Path], None]
    settings: Any = None


ROWS = "rows.csv"
PICTURE = "figure.png"


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
