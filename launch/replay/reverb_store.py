"""Replay for runs with separate actor and learner processes: a Reverb table of windows.

Rows are streamed by one `reverb.StructuredWriter` for each environment, which sends
each frame once and makes an item of the n + S rows that end at a completed transition.

`launch.replay.reverb_reader` reads the table. Importing this module imports Reverb.
"""

import ctypes
import time
from collections.abc import Callable, Iterator
from typing import Any

import dm_env
import jax
import numpy as np
import reverb

from agents.parts.contract import Spec, Storage
from launch.replay.limiter import TABLE, error_buffer
from launch.replay.rows import Row, Rows

# Milliseconds between two checks for a stop while waiting for the rate limiter.
_POLL_MS = 500
# Largest number of items of one environment that the server has not confirmed. It
# bounds the actor's memory and how far the actor runs ahead of the limiter; with more
# than one, the writer does not wait for each reply.
_MAX_PENDING = 16


def make_tables(storage: Storage) -> list[reverb.Table]:
    """Tables of a Reverb server: one, sampled uniformly, the oldest item removed first.

    Args:
        storage: sizes, counted in transitions, and samples per insert.
    """
    limiter = reverb.rate_limiters.SampleToInsertRatio(
        samples_per_insert=storage.samples_per_insert,
        min_size_to_sample=storage.min_size,
        error_buffer=error_buffer(storage),
    )
    table = reverb.Table(
        name=TABLE,
        sampler=reverb.selectors.Uniform(),
        remover=reverb.selectors.Fifo(),
        max_size=storage.capacity,
        max_times_sampled=0,
        rate_limiter=limiter,
    )
    return [table]


class ReverbAdder:
    """Sends the steps of N environments to a Reverb table.

    While the rate limiter wants samples first, it waits and checks for a stop.

    Args:
        client: of the server that holds the table.
        storage: gives n, the number of rewards that are summed.
        spec: of one environment; frames are stacked along the first axis.
        discount: gamma, weighs the rewards inside an n-step transition.
        frame_stack: S, frames in one observation; 1 if they are not stacked.
        num_environments: N, the number of lanes.
        stop: returns whether to stop waiting; items not stored by then are lost.
        extras: spec of the extras that the policy returns with one action, see
            `launch.build.make_extras_spec`.
        table: name of the table.
        max_pending: largest number of items of one environment that the server has not
            confirmed when a step returns.

    Attributes:
        waited_seconds: time spent waiting for the server so far.
    """

    def __init__(
        self,
        client: reverb.Client,
        storage: Storage,
        spec: Spec,
        *,
        discount: float,
        frame_stack: int,
        num_environments: int,
        stop: Callable[[], bool],
        extras: Any = (),
        table: str = TABLE,
        max_pending: int = _MAX_PENDING,
    ):
        self._rows = Rows(
            storage,
            spec,
            discount=discount,
            frame_stack=frame_stack,
            num_environments=num_environments,
            extras=extras,
        )
        self._spec = spec
        self._max_pending = max_pending
        self._extras = jax.tree.leaves(extras)
        self._stop = stop
        self.waited_seconds = 0.0
        self._stopped = False
        window = storage.n_step + frame_stack
        config = _writer_config(window, len(self._extras), table)
        self._writers = [
            client.structured_writer([config]) for _ in range(num_environments)
        ]
        # Destroying a writer blocks while the limiter holds back its items, for as long
        # as the server lives: an actor would never exit. This reference keeps a writer
        # alive until it has flushed.
        for writer in self._writers:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(writer))

    def observe_first(self, timestep: dm_env.TimeStep) -> None:
        """Adds the first timestep of every lane."""
        self._append(self._rows.observe_first(timestep))

    def observe(
        self, actions: np.ndarray, timestep: dm_env.TimeStep, extras: Any = ()
    ) -> None:
        """Adds a step: `[N, ...]` actions, the timestep they led to, their extras."""
        self._append(self._rows.observe(actions, timestep, extras))

    def close(self) -> None:
        """Waits until all items are stored, or for a stop, and closes the writers."""
        while self._writers:
            writer = self._writers.pop()
            if self._flush(writer, 0):
                ctypes.pythonapi.Py_DecRef(ctypes.py_object(writer))

    def _append(self, rows: Iterator[tuple[int, Row]]) -> None:
        # `end_episode` is never called: rows that complete no transition keep windows
        # within an episode, and the call would wait for every pending item.
        for lane, row in rows:
            self._writers[lane].append(
                Row(
                    row.frame,
                    np.asarray(row.action, self._spec.action.dtype),
                    np.float32(row.reward),
                    np.float32(row.discount),
                    np.int32(row.steps),
                    tuple(
                        np.asarray(leaf, each.dtype)
                        for leaf, each in zip(row.extras, self._extras, strict=True)
                    ),
                )
            )
        for writer in self._writers:
            self._flush(writer, self._max_pending)

    def _flush(
        self, writer: reverb.structured_writer.StructuredWriter, max_pending: int
    ) -> bool:
        """Waits until at most `max_pending` items are pending; False if stopped first.

        After a stop it hardly waits: many writers must not each wait in turn.
        """
        began = time.monotonic()
        try:
            while True:
                try:
                    patience = 1 if self._stopped else _POLL_MS
                    writer.flush(max_pending, timeout_ms=patience)
                    return True
                except reverb.errors.DeadlineExceededError:
                    self._stopped = self._stopped or self._stop()
                    if self._stopped:
                        return False
        finally:
            self.waited_seconds += time.monotonic() - began


def _writer_config(
    window: int, num_extras: int, table: str = TABLE
) -> reverb.structured_writer.Config:
    """Makes an item of the window that ends at each row completing a transition."""
    extras = tuple(f"extras{i}" for i in range(num_extras))
    structure = Row(*Row._fields)._replace(extras=extras)
    row = reverb.structured_writer.create_reference_step(structure)
    pattern = Row(
        row.frame[-window:],
        row.action[-1],
        row.reward[-1],
        row.discount[-1],
        row.steps[-1],
        tuple(leaf[-1] for leaf in row.extras),
    )
    completes = reverb.structured_writer.Condition.data(structure).steps >= 1
    # `create_config` would encode the structure of the pattern with TensorFlow; only
    # Python code of Reverb that we do not use reads it.
    return reverb.structured_writer.Config(
        flat=jax.tree.leaves(pattern), table=table, priority=1.0, conditions=[completes]
    )
