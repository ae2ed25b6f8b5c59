"""Libraries of the extra `language`, which only pretrained models need."""

import importlib
from pathlib import Path
from typing import Any

from launch.errors import PretrainedError


def library(name: str, path: Path) -> Any:
    """Imports a library of the extra.

    Args:
        name: of its module.
        path: the file or directory that it will read or write.

    Raises:
        PretrainedError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        package = name.split(".")[0]
        raise PretrainedError(
            f"{path} needs the package {package}: install it with `make language`, or "
            "with `pip install 'munchausen[language]'`"
        ) from error
