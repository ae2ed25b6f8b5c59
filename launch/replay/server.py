"""Runs a Reverb server in a separate process, without Launchpad."""

import contextlib
import multiprocessing
import os
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from agents.parts.contract import Storage
from launch.replay import light_reverb


class Served(NamedTuple):
    """A running Reverb server.

    Attributes:
        client: `reverb.Client` that is connected to the server.
        address: `host:port`.
        pid: of the server's process.
    """

    client: Any
    address: str
    pid: int


@contextlib.contextmanager
def served(
    storage: Storage,
    chunk: int = 1,
) -> Iterator[Served]:
    """Context manager: a server runs, with the tables of a run that has one actor.

    Args:
        storage: as for `launch.replay.reverb_store.make_tables`.
        chunk: transitions of an item, if they are queued.

    Raises:
        RuntimeError: the server did not start; the message has the reason.
    """
    import reverb

    processes = multiprocessing.get_context("spawn")
    ours, theirs = processes.Pipe()
    process = processes.Process(
        target=_serve, args=(theirs, storage, chunk), daemon=True
    )
    process.start()
    theirs.close()
    try:
        assert process.pid is not None
        port = ours.recv()
        if isinstance(port, str):
            raise RuntimeError(f"the Reverb server did not start: {port}")
        address = f"localhost:{port}"
        yield Served(reverb.Client(address), address, process.pid)
    finally:
        ours.close()
        process.join(timeout=10)
        process.kill()
        process.join()


def _serve(parent: Connection, storage: Storage, chunk: int) -> None:
    """Serves until the parent closes its end."""
    # Reverb logs to standard error.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        light_reverb.install()
        import reverb

        from launch.replay import reverb_queue, reverb_store

        tables = (
            reverb_queue.make_queues(storage, actors=1, queues=[0], chunk=chunk)
            if storage.order == "queue"
            else reverb_store.make_tables(storage)
        )
        server = reverb.Server(tables)
    except Exception as error:
        parent.send(repr(error))
        return
    parent.send(server.port)
    with contextlib.suppress(EOFError):
        parent.recv()
    server.stop()
