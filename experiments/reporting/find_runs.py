"""Finds run directories at every depth below some paths."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from experiments.reporting import plain_text
from launch.errors import RunDirectoryError
from launch.runs import run_directory

# Folders of a run that hold no other run, and possibly thousands of files.
_OWN = {run_directory.PRETRAINING, "checkpoints", "logs", "wandb"}


class Found(NamedTuple):
    """Run directories, each once.

    Attributes:
        runs: in the order of the paths, then by name; real paths before links.
        left_out: a sentence for each path or folder that cannot be searched or holds
            no run.
    """

    runs: list[Path]
    left_out: list[str]


def find(paths: Sequence[str | Path]) -> Found:
    """Finds the directories with a `config.yaml` at or below some paths.

    Links to directories are followed, except to a directory that holds the link. A run
    that is reached twice is found once.

    Raises:
        RunDirectoryError: a path does not exist.
    """
    runs: dict[tuple[int, int], Path] = {}
    left_out: dict[str, None] = {}
    for path in map(Path, paths):
        reasons: list[str] = []
        below = dict(_search(path, reasons))
        for key, run in below.items():
            runs.setdefault(key, run)
        if not below and not reasons:
            shown = plain_text.one_line(path)
            reasons = [
                f"{shown} is not a run directory or a folder of run directories: no "
                f"{run_directory.CONFIG} there"
            ]
        left_out |= dict.fromkeys(reasons)
    return Found(list(runs.values()), list(left_out))


def _search(root: Path, reasons: list[str]) -> Iterator[tuple[tuple[int, int], Path]]:
    """Device, inode and path of each run below a path; adds why folders are skipped.

    Raises:
        RunDirectoryError: the path does not exist.
    """
    seen: set[tuple[int, int]] = set()
    folders, links = [root], list[Path]()
    while folders or links:
        folder = folders.pop() if folders else links.pop(0)
        try:
            found = folder.stat()
            key = (found.st_dev, found.st_ino)
            if key in seen:
                continue
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            reasons.append(_reason(folder, error, named=folder == root))
            continue
        seen.add(key)
        is_run = any(entry.name == run_directory.CONFIG for entry in entries)
        if is_run:
            yield key, folder
        below = [entry for entry in entries if not (is_run and entry.name in _OWN)]
        links += [folder / entry.name for entry in below if _leads_on(folder, entry)]
        folders += [
            folder / entry.name
            for entry in reversed(below)
            if entry.is_dir(follow_symlinks=False)
        ]


def _reason(folder: Path, error: OSError, *, named: bool) -> str:
    """Why a folder cannot be searched.

    Raises:
        RunDirectoryError: the caller named a folder that does not exist.
    """
    shown = plain_text.one_line(folder)
    if named and isinstance(error, FileNotFoundError):
        raise RunDirectoryError(f"{shown} does not exist") from error
    if isinstance(error, NotADirectoryError) and folder.is_file():
        return f"{shown} is a file: name a run directory"
    return f"cannot read {shown}: {error.strerror}"


def _leads_on(folder: Path, entry: "os.DirEntry[str]") -> bool:
    """Whether an entry is a link to a directory that does not hold the link."""
    try:
        if not entry.is_symlink() or not entry.is_dir():
            return False
    except OSError:
        return False  # the link leads to itself
    return Path(os.path.realpath(entry.path)) not in [
        real := Path(os.path.realpath(folder)),
        *real.parents,
    ]
