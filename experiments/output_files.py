"""Output files of the verbs: paths are checked before any work, writes are atomic."""

import contextlib
import csv
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from launch.errors import RunDirectoryError


def check_writable(path: Path) -> None:
    """Refuses a path that cannot be written, before any work is done.

    Raises:
        RunDirectoryError: no file can be written there; the message has the reason.
    """
    try:
        reason = _obstacle(path)
    except OSError as error:  # a name that is too long, a folder that is locked
        reason = str(error.strerror)
    if reason:
        raise RunDirectoryError(f"cannot write {path}: {reason}")


def _obstacle(path: Path) -> str:
    if path.is_dir():
        return "it is a directory"
    if path.exists() and not path.is_file():
        return "it is not a regular file"
    if not path.parent.is_dir():
        return f"there is no directory {path.parent}"
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return f"{path.parent} is read-only; choose another place with --output"
    return ""


@contextlib.contextmanager
def draft(path: Path) -> Iterator[Path]:
    """Context manager: yields a temporary file that becomes `path`, or is removed.

    Raises:
        RunDirectoryError: writing failed.
    """
    hidden = path.with_name(f".munchausen-{os.getpid()}{path.suffix}")
    try:
        yield hidden
        hidden.replace(path)
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())[:200]
        raise RunDirectoryError(f"cannot write {path}: {reason}") from error
    finally:
        hidden.unlink(missing_ok=True)


def write_table(
    path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]
) -> None:
    """Writes a CSV file with a line of column names and a line for each row.

    Raises:
        RunDirectoryError: writing failed; a file that was there is unchanged.
    """
    with draft(path) as unfinished:
        with unfinished.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
