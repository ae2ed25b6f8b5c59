"""Rows on their way from the actors to a store in the learner's process.

An actor sends its rows in chunks; the learner takes each chunk once, oldest first, and
stores its rows as a run in one process does. So the rows of a lane stay in order, and
each row travels once, however often it is sampled.

Importing this module imports neither Reverb nor TensorFlow.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import dm_env
import jax
import numpy as np

from agents.parts.contract import Storage
from launch.replay.limiter import TABLE, error_buffer
from launch.replay.rows import Row, Rows

if TYPE_CHECKING:
    import reverb

MOST_CHUNKS = 4  # that wait in the table before actors wait for the learner
_MOST_ROWS = 16  # of a chunk; more would hardly be faster
_MAX_PENDING = 1  # chunks of an actor that the server has not confirmed
_NO_LANE = -1  # of the rows that fill an actor's last chunk


class Chunk(NamedTuple):
    """Rows of the lanes of one actor, in order.

    Attributes:
        lane: `[C]` int32, the lane of each row in the store; -1: no row.
        rows: columns `[C, ...]`, see `rows_of_chunk`.
    """

    lane: Any
    rows: Row


def rows_of_chunk(storage: Storage) -> int:
    """C: so few that the chunks on their way hardly add to the limiter's tolerance.

    Rows on their way are those of actions that no update has followed yet. Twice
    `MOST_CHUNKS` chunks wait, in the table and in the learner's process.
    """
    inserts = error_buffer(storage) / storage.samples_per_insert
    return max(1, min(_MOST_ROWS, int(inserts / (2 * MOST_CHUNKS))))


def make_tables() -> "list[reverb.Table]":
    """The table of a Reverb server through which chunks pass, oldest first."""
    import reverb  # imported in the process that needs it

    return [reverb.Table.queue(TABLE, MOST_CHUNKS)]


class ChunkAdder:
    """Sends the steps of an actor's N environments as chunks of rows."""

    def __init__(
        self,
        client: "reverb.Client",
        rows: Rows,
        *,
        chunk: int,
        first_lane: int,
        stop: Callable[[], bool],
    ):
        """Connects.

        Args:
            client: of the server that holds the table.
            rows: turns the steps into rows.
            chunk: C, see `rows_of_chunk`.
            first_lane: of this actor's lanes in the store.
            stop: returns whether to stop waiting; rows not stored by then are lost.
        """
        from launch.replay.reverb_writers import Writers

        self._rows = rows
        self._first_lane = first_lane
        self._writers = Writers(client, _writer_config(rows.num_extras), 1, stop)
        self._size = chunk
        self._waiting: list[tuple[int, Row]] = []

    @property
    def waited_seconds(self) -> float:
        """Time spent waiting for the server so far."""
        return self._writers.waited_seconds

    def observe_first(self, timestep: dm_env.TimeStep) -> None:
        """Adds the first timestep of every lane."""
        self._add(self._rows.observe_first(timestep))

    def observe(
        self, actions: np.ndarray, timestep: dm_env.TimeStep, extras: Any = ()
    ) -> None:
        """Adds a step: `[N, ...]` actions, the timestep they led to, their extras."""
        self._add(self._rows.observe(actions, timestep, extras))

    def close(self) -> None:
        """Sends the last rows, and waits until they are stored, or for a stop."""
        if self._waiting:
            _, row = self._waiting[-1]
            missing = self._size - len(self._waiting)
            self._send([*self._waiting, *[(_NO_LANE, row)] * missing])
            self._waiting = []
        self._writers.close()

    def _add(self, rows: Iterator[tuple[int, Row]]) -> None:
        for lane, row in rows:
            self._waiting.append((self._first_lane + lane, row))
            if len(self._waiting) == self._size:
                self._send(self._waiting)
                self._waiting = []

    def _send(self, waiting: Sequence[tuple[int, Row]]) -> None:
        lanes, rows = zip(*waiting, strict=True)
        arrays = [self._rows.as_arrays(row) for row in rows]
        columns = jax.tree.map(lambda *leaves: np.stack(leaves), *arrays)
        self._writers.append(0, Chunk(np.array(lanes, np.int32), columns))
        self._writers.flush(_MAX_PENDING)


def rows_of(leaves: Sequence[np.ndarray]) -> Iterator[tuple[int, Row]]:
    """Yields the lane and the row of each row of a chunk, given its flat columns."""
    lanes, frame, action, reward, discount, steps, *extras = leaves
    for i, lane in enumerate(lanes.tolist()):
        if lane != _NO_LANE:
            own = tuple(leaf[i] for leaf in extras)
            yield lane, Row(frame[i], action[i], reward[i], discount[i], steps[i], own)


def _writer_config(num_extras: int) -> "reverb.structured_writer.Config":
    """Makes an item of each chunk."""
    import reverb

    extras = tuple(f"extras{i}" for i in range(num_extras))
    structure = Chunk("lane", Row(*Row._fields)._replace(extras=extras))
    chunk = reverb.structured_writer.create_reference_step(structure)
    flat = [leaf[-1] for leaf in jax.tree.leaves(chunk)]
    return reverb.structured_writer.Config(
        flat=flat, table=TABLE, priority=1.0, conditions=[]
    )
