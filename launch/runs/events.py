"""The events of a run: which roles died and were started again, and why.

`<run>/events.jsonl` has one JSON object for each event. Its one writer is the launcher
of the program.
"""

import json
import time
from pathlib import Path
from typing import Any

FILE = "events.jsonl"
# A role died, and was started again or was not.
RESTART, LOST = DEATHS = ("restart", "lost")


def append(directory: Path, event: str, **values: Any) -> None:
    """Appends an event.

    Args:
        directory: the run directory.
        event: what happened, such as `RESTART`.
        values: plain data, such as the role, its host and the steps of the run.

    Raises:
        OSError: the file cannot be written.
    """
    row = {"time": round(time.time(), 3), "event": event, **values}
    path = directory / FILE
    whole = path.read_bytes().rpartition(b"\n")[:2] if path.exists() else ()
    with path.open("ab") as file:
        file.truncate(sum(map(len, whole)))  # removes a line that was cut off before
        file.write(json.dumps(row).encode() + b"\n")


def read(directory: Path) -> list[dict[str, Any]]:
    """All events of a run in order; none if there is no file.

    A last line that was cut off, as by a full disk, is left out.

    Raises:
        ValueError: another line is not a JSON object.
    """
    path = directory / FILE
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = []
    for place, line in enumerate(lines):
        try:
            rows.append(dict(json.loads(line)))
        except (TypeError, ValueError) as error:
            if place + 1 < len(lines):
                raise ValueError(f"{path}, line {place + 1}: {error}") from error
    return rows
