"""Gives matplotlib a folder for its caches where the user has none.

matplotlib looks for its folders when it is imported: `prepare` must come before.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_VARIABLE = "MPLCONFIGDIR"


def prepare() -> None:
    """Sets `MPLCONFIGDIR` to a temporary folder if the usual ones cannot be written.

    So matplotlib works without a home directory, and does not warn about it. The
    folder is deleted when this process ends.
    """
    if _VARIABLE in os.environ or _usable():
        return
    folder = tempfile.mkdtemp(prefix="munchausen-matplotlib-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ[_VARIABLE] = folder


def _usable() -> bool:
    """Whether matplotlib can make or write the folders that it would take."""
    try:
        bases = [
            Path(os.environ.get(variable) or Path.home() / name)
            for variable, name in (
                ("XDG_CONFIG_HOME", ".config"),
                ("XDG_CACHE_HOME", ".cache"),
            )
        ]
        return all(_writable(base / "matplotlib") for base in bases)
    except (OSError, RuntimeError):  # RuntimeError: there is no home directory
        return False


def _writable(folder: Path) -> bool:
    """Whether a folder, or the nearest one above it that exists, can be written."""
    nearest = next(each for each in (folder, *folder.parents) if each.exists())
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
