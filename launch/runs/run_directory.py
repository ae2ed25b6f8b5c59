"""Makes and names run directories, and reads their experiments back."""

import os
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from launch.errors import AgentMissing, RunDirectoryError
from launch.runs import provenance, serialization

CONFIG = "config.yaml"
PRETRAINING = "pretraining"  # a first stage's own run directory, within the run's
# Settings, by path, that make no difference to what a run learns and evaluates: how it
# is logged, watched and saved.
BOOKKEEPING = ("log_period", "stall_seconds", "checkpoint.keep", "checkpoint.minutes")


def create(root: str | os.PathLike[str], experiment: Any) -> Path:
    """Makes `<root>/<name>/seed<k>-<time>[-<i>]/` with `config.yaml` in it.

    Args:
        root: directory of all runs; made if missing.
        experiment: the Experiment about to run.

    Raises:
        RunDirectoryError: the root cannot be written to, or its path is not text.
    """
    _check_path(root)
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    parent = Path(root) / experiment.name
    try:
        parent.mkdir(parents=True, exist_ok=True)
        directory = _make_unique(parent, f"seed{experiment.seed}-{stamp}")
    except OSError as error:
        raise RunDirectoryError(
            f"cannot write runs to {root}: {_reason(error)}"
        ) from error
    begin(directory, experiment)
    return directory


def refuse_other(directory: Path) -> None:
    """Refuses a directory for a new run that holds something else.

    Raises:
        RunDirectoryError: it does, or cannot be read.
    """
    _check_path(directory)
    try:
        there = list(directory.iterdir()) if directory.exists() else []
        # A start that was killed early may have left hidden files.
        found = [each.name for each in there if each.name[0] != "."]
    except OSError as error:
        raise RunDirectoryError(f"cannot use {directory}: {_reason(error)}") from error
    if found and not is_run(directory):
        raise RunDirectoryError(
            f"the directory of a run must be empty or hold that run, and {directory} "
            f"holds {min(found)}: choose another --run_directory"
        )


def make(directory: Path) -> None:
    """Makes the directory of a run that the user has chosen, if it does not exist.

    Raises:
        RunDirectoryError: it cannot be made.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunDirectoryError(f"cannot make {directory}: {_reason(error)}") from error


def is_run(directory: Path) -> bool:
    """Whether a directory holds a run that has begun."""
    return (directory / CONFIG).exists()


def begin(directory: Path, experiment: Any) -> None:
    """Writes `config.yaml` of a new run.

    Args:
        directory: of the run; it exists.
        experiment: the Experiment about to run.

    Raises:
        RunDirectoryError: the directory cannot be written to.
    """
    plain = serialization.to_plain(experiment)
    _write(directory, {"experiment": plain, **provenance.circumstances()})


def record_resume(
    directory: str | os.PathLike[str],
    experiment: Any,
    details: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Records in `config.yaml` that the run resumes as this experiment with this code.

    Args:
        directory: the run directory.
        experiment: the Experiment about to run.
        details: what else to record of this start, such as the settings that changed.

    Raises:
        RunDirectoryError: the directory cannot be written to.
    """
    plain = read_config(directory) | {"experiment": serialization.to_plain(experiment)}
    plain["resumed"] = [
        *plain.get("resumed", []),
        {**provenance.circumstances(), **serialization.to_plain(details)},
    ]
    _write(directory, plain)


def changes(config: Mapping[str, Any]) -> list[tuple[Any, dict[str, tuple[Any, Any]]]]:
    """What each resumption of a run changed, as `record_resume` noted it.

    Args:
        config: of the run, see `read_config`; a user may have edited it.

    Returns:
        for each resumption the step at which it began, and the old and the new value
        of each changed setting by path.
    """
    found = []
    starts = config.get("resumed", [])
    for start in starts if isinstance(starts, list) else ():
        start = start if isinstance(start, dict) else {}
        changed = start.get("changed")
        pairs = changed.items() if isinstance(changed, dict) else ()
        kept = {
            path: (values[0], values[1])
            for path, values in pairs
            if isinstance(values, list) and len(values) == 2
        }
        found.append((start.get("step"), kept))
    return found


def _write(directory: str | os.PathLike[str], plain: dict[str, Any]) -> None:
    path = Path(directory) / CONFIG
    draft = path.with_name(f".{CONFIG}.draft")
    try:
        draft.write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise RunDirectoryError(f"cannot write {path}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """An error in one line, without the path that the message has already."""
    plain = error.strerror if isinstance(error, OSError) else None
    return plain or " ".join(str(error).split())


def _check_path(directory: str | os.PathLike[str]) -> None:
    """Refuses a path that checkpoints cannot have: their library knows only text."""
    path = Path(directory).absolute()
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        remedy = "rename the directory that is not, or write runs elsewhere with --runs"
        if sys.getfilesystemencoding() != "utf-8":
            remedy = "set PYTHONUTF8=1, so that Python reads it so"
        raise RunDirectoryError(
            f"the path of a run must be UTF-8 text, got {os.fsencode(path)!r}; {remedy}"
        ) from error


def _make_unique(parent: Path, name: str) -> Path:
    for suffix in range(10_000):
        directory = parent / (f"{name}-{suffix}" if suffix else name)
        try:
            directory.mkdir()
        except FileExistsError:
            continue  # another run started in the same second
        return directory
    raise FileExistsError(f"{parent / name} and 9,999 successors exist")


def read_config(directory: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads `config.yaml`: `experiment`, `command`, `started`, `code`, `versions`.

    Raises:
        RunDirectoryError: the directory is missing or is not a run directory.
    """
    path = Path(directory) / CONFIG
    try:
        plain = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RunDirectoryError(
            f"{directory} is not a run directory: it has no {CONFIG}"
            f"{_runs_inside(Path(directory))}"
        ) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RunDirectoryError(f"cannot read {path}: {_reason(error)}") from error
    if not isinstance(plain, dict) or "experiment" not in plain:
        raise RunDirectoryError(f"{path} describes no experiment")
    return plain


def _runs_inside(directory: Path) -> str:
    """Names a run of a folder that holds runs, for a message."""
    for pattern in ("*", "*/*", "*/*/*"):
        for config in sorted(directory.glob(f"{pattern}/{CONFIG}")):
            return f"; name a run inside, such as {config.parent}"
    return ""


def read_experiment(directory: str | os.PathLike[str]) -> Any:
    """The Experiment of a run directory, equal to the one given to `create`.

    Raises:
        RunDirectoryError: not a run directory, or a run of an incompatible version, or
            a computed figure, in which no agent learned.
    """
    _check_path(directory)
    plain = read_config(directory)["experiment"]
    if isinstance(plain, dict) and plain.get("kind") == "Computed":
        raise RunDirectoryError(f"{directory} is a computed figure: it has no agent")
    try:
        return serialization.read_experiment(plain)
    except AgentMissing as error:
        path = Path(directory) / CONFIG
        raise RunDirectoryError(f"{path} names an agent: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise RunDirectoryError(
            f"{Path(directory) / CONFIG} does not fit this version: {error}"
        ) from error
