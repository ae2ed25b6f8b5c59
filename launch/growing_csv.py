"""CSV whose columns are not known beforehand."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TextIO

Scalar = float | int | bool | str | None


class GrowingCsv:
    """A CSV file that gains a column whenever a row brings a new key."""

    def __init__(self, path: Path, columns: Iterable[str] = ()):
        """Goes on with the file if it exists.

        Args:
            path: the file; made by the first row.
            columns: those to begin with.
        """
        self._path = path
        self._columns = list(columns)
        self._file: TextIO | None = None
        if path.exists() and path.stat().st_size:
            with path.open(newline="", encoding="utf-8") as file:
                self._columns = next(csv.reader(file))
            self._file = path.open("a", newline="", encoding="utf-8")

    def write(self, row: Mapping[str, Scalar]) -> None:
        """Appends a row and flushes it; columns that it lacks stay empty."""
        new = [name for name in row if name not in self._columns]
        if new or self._file is None:
            self._columns += new
            self._file = self._rewrite()
        csv.DictWriter(
            self._file, self._columns, restval="", lineterminator="\n"
        ).writerow(row)
        self._file.flush()

    def _rewrite(self) -> TextIO:
        """The file again under the new header, replaced at once so no row is lost."""
        rows: list[dict[str, str]] = []
        if self._file is not None:
            self._file.close()
            with self._path.open(newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
        draft = self._path.with_name(f".{self._path.name}.draft")
        with draft.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(
                file, self._columns, restval="", lineterminator="\n"
            )
            writer.writeheader()
            writer.writerows(rows)
        draft.replace(self._path)
        return self._path.open("a", newline="", encoding="utf-8")

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()
