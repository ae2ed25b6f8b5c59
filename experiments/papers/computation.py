"""An experiment that trains no network: numbers from a seed, and their picture."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

Row = dict[str, Any]


class Computation(NamedTuple):
    """A figure or table of a paper that is computed, not trained.

    Attributes:
        name: `<paper>/<figure>`, as the command line takes it.
        description: one line.
        compute: from a seed to rows of one long table; equal keys in every row. Equal
            seeds give equal rows.
        draw: makes a picture of such rows, in the format of the path's suffix.
    """

    name: str
    description: str
    compute: Callable[[int], list[Row]]
    draw: Callable[[list[Row], Path], None]
