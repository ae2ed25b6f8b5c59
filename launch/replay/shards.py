"""Several replay servers share the transitions of a run.

Each has its part of capacity, minimum size and batch, and so keeps the same number of
samples per insert as one server would. Actor i stores into server i modulo their
number, and every batch has equal parts of all of them.

An agent whose transitions are queued has a queue for each actor instead, on one server
or on several; the queues share capacity and batch in the same way.
"""

import dataclasses
from pathlib import Path

from agents.parts.contract import Storage


def shard_of(actor: int, shards: int) -> int:
    """Index of the server into which an actor stores."""
    return actor % shards


def storage_of(storage: Storage, index: int, shards: int) -> Storage:
    """The settings of one of several servers, or of one of several queues.

    Args:
        storage: the settings of all together; the number of servers divides the batch.
        index: of the server.
        shards: R, the number of servers or queues. The parts of capacity and minimum
            size add up to the whole; those of the first servers may be larger by one.
    """

    def part(whole: int) -> int:
        return whole // shards + (index < whole % shards)

    return dataclasses.replace(
        storage,
        capacity=part(storage.capacity),
        min_size=max(part(storage.min_size), 1),
        batch_size=storage.batch_size // shards,
    )


def queue_name(actor: int) -> str:
    """The name of the table into which an actor of a run with queues stores."""
    return f"queue/{actor}"


def names(shards: int) -> list[str]:
    """The name of each server: `replay`, or `replay/0`, `replay/1` and so on."""
    return ["replay"] if shards == 1 else [f"replay/{i}" for i in range(shards)]


def snapshot_of(path: Path, name: str) -> Path:
    """Where a server's snapshot is, below that of all servers.

    Args:
        path: the directory of the replay's snapshot.
        name: of the server, see `names`; a server alone has the whole directory.
    """
    return path / name.removeprefix("replay").removeprefix("/")
