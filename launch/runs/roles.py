"""The table of a program's roles, `<run>/roles.json`: where each of them runs."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

FILE = "roles.json"


class Row(NamedTuple):
    """A role of a program.

    Attributes:
        role: its name, such as `actor/3`.
        host: where it runs; empty: it waits for a place.
        pid: its process there; 0: it has not started.
        restarts: how often it was started again after it died.
        steps_per_second: of an actor, of late; 0 for other roles.
    """

    role: str
    host: str
    pid: int
    restarts: int
    steps_per_second: float


def lines(rows: Sequence[Row], most: int = 16) -> list[str]:
    """The table as text, one line for each role.

    Args:
        rows: the table.
        most: number of roles that are shown.
    """
    texts = [("role", "host", "pid", "restarts", "steps/s")]
    for row in rows[:most]:
        rate = f"{row.steps_per_second:,.0f}" if row.steps_per_second else ""
        host = row.host or "waits for a place"
        texts.append((row.role, host, str(row.pid or ""), str(row.restarts), rate))
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    shown = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        for row in texts
    ]
    more = len(rows) - most
    return [*(line.rstrip() for line in shown), *([f"and {more} more"] * (more > 0))]


def write(directory: Path, rows: Sequence[Row]) -> None:
    """Writes the table; a reader never sees half of it.

    Raises:
        OSError: the file cannot be written.
    """
    path = directory / FILE
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps([row._asdict() for row in rows]), encoding="utf-8")
    os.replace(draft, path)


def read(directory: Path) -> list[Row]:
    """The newest table of a run; empty if it has none.

    Raises:
        ValueError: the file is not such a table.
    """
    path = directory / FILE
    if not path.exists():
        return []
    try:
        return [Row(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error
