"""What a checkpoint that `munchausen merge` wrote tells of where its weights come from.

Weights alone do not tell which network they are, or from which policy a reward model
measures its rewards. A run's `config.yaml` tells that; this file does so for a
checkpoint.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from launch.errors import PretrainedError
from launch.experiment import Origin
from launch.pretrained import config_file

FILE = "munchausen.json"


class Record(NamedTuple):
    """Where weights come from.

    Attributes:
        network: what the sources call the network, such as `policy` or `reward`.
        sources: the weights that were merged or copied.
        copied: whether the weights are those of the only source.
        measured_from: the weights of other networks, from whose outputs those of this
            one are differences; see `agents.Recipe`.
    """

    network: str
    sources: tuple[Origin, ...]
    copied: bool
    measured_from: tuple[Origin, ...]


def encode(record: Record) -> dict[str, Any]:
    """The contents of the file."""
    return {
        **record._asdict(),
        "sources": [dataclasses.asdict(each) for each in record.sources],
        "measured_from": [dataclasses.asdict(each) for each in record.measured_from],
    }


def read(directory: Path) -> Record | None:
    """The record of a checkpoint; None if there is none, as in a run.

    Raises:
        PretrainedError: the file cannot be read, or is not as `encode` makes it.
    """
    path = directory / FILE
    if not path.exists():
        return None
    found = config_file.read_json(path)
    try:
        return Record(
            str(found["network"]),
            _origins(found["sources"]),
            bool(found["copied"]),
            _origins(found["measured_from"]),
        )
    except (KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise PretrainedError(
            f"{path} must be as `munchausen merge` wrote it, but was altered "
            f"({reason}): merge again"
        ) from error


def _origins(found: Sequence[dict[str, str]]) -> tuple[Origin, ...]:
    return tuple(Origin(**each) for each in found)
