"""The replay of a program: serves the tables of a Reverb server until the run ends."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from launch.build import make_agent
from launch.replay import reverb_queue, row_table, shards
from launch.roles.context import Context, Run
from launch.runs import checkpoint

_SCRATCH = Path(checkpoint.DIRECTORY, ".server")  # where Reverb writes its tables


@contextlib.contextmanager
def scratch_removed(directory: Path) -> Iterator[None]:
    """Context manager that finally removes the scratch files of a run's server."""
    try:
        yield
    finally:
        shutil.rmtree(directory / _SCRATCH, ignore_errors=True)


class ReplayRole:
    """A Reverb server with the table that the agent needs, or with a part of it."""

    def __init__(self, run: Run, context: Context):
        """Starts the server, with the tables of the checkpoint if the run resumes.

        Args:
            run: the run.
            context: made by the engine; gives the port of the server.
        """
        import reverb  # imported in the process that needs it

        from launch.replay import reverb_store, snapshot

        self._stop = context.stop
        storage = make_agent(run.experiment, run.spec).storage
        actors, replays = run.experiment.actors, run.experiment.replays
        saved = None if run.resume is None else run.resume.replay
        if storage.order == "queue":
            saved = None  # a resumed run drops what was queued
            queues = range(context.index, actors, replays)
            chunk = reverb_queue.chunk_of(storage, actors, run.experiment.environments)
            tables = reverb_queue.make_queues(
                storage, actors=actors, queues=queues, chunk=chunk
            )
        elif run.experiment.replay != "host":
            saved = None  # the learner has the rows
            tables = row_table.make_tables()
        else:
            part = shards.storage_of(storage, context.index, replays)
            tables = reverb_store.make_tables(part)
        if saved is not None:
            saved = shards.snapshot_of(saved, context.name)
        scratch = shards.snapshot_of(run.directory / _SCRATCH, context.name)
        self._server = reverb.Server(
            tables,
            port=context.port,
            checkpointer=snapshot.make_checkpointer(scratch, saved),
        )

    def run(self) -> None:
        """Serves until the run ends.

        In a program of threads the process may go on, and must not keep the tables.
        """
        self._stop.wait()
        self._server.stop()
