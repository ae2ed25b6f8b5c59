"""Replay for runs with separate actor and learner processes: a Reverb table of windows.

Rows are streamed by one `reverb.StructuredWriter` for each environment, which sends
each frame once and makes an item of the n + S rows that end at a completed transition.

Importing this module imports TensorFlow, which is kept off GPUs and to few threads,
because it only moves data and shares the cores with the learner.
"""

import ctypes
import time
from collections.abc import Callable, Iterator
from typing import Any

import dm_env
import jax
import numpy as np
import reverb
import tensorflow as tf

from agents.parts.contract import Spec, Storage, Transition
from launch.replay.limiter import TABLE, error_buffer
from launch.replay.rows import Row, Rows, decode

# Milliseconds between two checks for a stop while waiting for the rate limiter.
_POLL_MS = 500
# Largest number of items of one environment that the server has not confirmed. It
# bounds the actor's memory and how far the actor runs ahead of the limiter; with more
# than one, the writer does not wait for each reply.
_MAX_PENDING = 16

tf.config.set_visible_devices([], "GPU")
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(2)


def make_tables(
    storage: Storage, spec: Spec, *, frame_stack: int, extras: Any = ()
) -> list[reverb.Table]:
    """Tables of a Reverb server: one, sampled uniformly, the oldest item removed first.

    Args:
        storage: sizes, counted in transitions, and samples per insert.
        spec: of one environment; frames are stacked along the first axis.
        frame_stack: S, frames in one observation; 1 if they are not stacked.
        extras: spec of the extras that the policy returns with one action, see
            `launch.build.make_extras_spec`.
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
        signature=signature(storage, spec, frame_stack, extras),
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
        extras: as the table was made with.
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


class ReverbReader:
    """Iterator over batches of transitions, until a stop.

    Samples are prefetched, at most 2 * `workers` + 2 batches; the limiter counts them
    as they leave the table. Stop the server last: TensorFlow waits for a server that is
    gone, and does not notice a stop.

    Args:
        server_address: of the server that holds the table, `host:port`.
        storage: as the table was made with.
        spec: of one environment; frames are stacked along the first axis.
        frame_stack: S, frames in one observation; 1 if they are not stacked.
        stop: returns whether to end the iteration; called at least once a second.
        extras: as the table was made with.
        workers: streams that fetch samples at the same time.
    """

    def __init__(
        self,
        server_address: str,
        storage: Storage,
        spec: Spec,
        *,
        frame_stack: int,
        stop: Callable[[], bool],
        extras: Any = (),
        workers: int = 2,
    ):
        self._batch_size = storage.batch_size
        self._frame_stack = frame_stack
        self._stop = stop
        self._client = reverb.Client(server_address)
        self._extras_structure = jax.tree.structure(extras)
        self._signature = signature(storage, spec, frame_stack, extras)
        self._dataset = _dataset(
            server_address, self._signature, self._batch_size, workers
        )
        self._samples: Iterator | None = None
        self._leftover: Row | None = None

    def __iter__(self) -> Iterator[Transition]:
        return self

    def __next__(self) -> Transition:
        """Next batch; its arrays are read-only.

        Raises:
            StopIteration: once `stop()` is true.
        """
        while not self._stop():
            if self._samples is None:
                if not self._answers():
                    continue
                self._samples = self._dataset.as_numpy_iterator()
            sample = next(self._samples, None)
            if sample is None:  # The limiter let nothing through for a while.
                self._samples = None
                continue
            rows = self._whole(sample.data)
            if rows is not None:
                extras = jax.tree.unflatten(self._extras_structure, rows.extras)
                return decode(*rows[:-1], extras, frame_stack=self._frame_stack)
        self._samples = None
        raise StopIteration

    def empty(self) -> Transition:
        """A made-up batch of zeros."""
        rows: Row = tf.nest.map_structure(
            lambda leaf: np.zeros(
                (self._batch_size, *leaf.shape), leaf.dtype.as_numpy_dtype
            ),
            self._signature,
        )
        extras = jax.tree.unflatten(self._extras_structure, rows.extras)
        return decode(*rows[:-1], extras, frame_stack=self._frame_stack)

    def _answers(self) -> bool:
        """Whether the server answers; waiting for a dead one would miss a stop."""
        try:
            self._client.server_info(timeout=1)
            return True
        except reverb.errors.DeadlineExceededError:
            return False

    def _whole(self, rows: Row) -> Row | None:
        """A whole batch of rows; None if there are too few rows yet.

        A batch that the limiter interrupts is short. The limiter has counted its
        samples, so they are kept for the next batch instead of being dropped.
        """
        if len(rows.steps) == self._batch_size:
            return rows
        if self._leftover is not None:
            rows = jax.tree.map(
                lambda *columns: np.concatenate(columns), self._leftover, rows
            )
        whole = len(rows.steps) >= self._batch_size
        taken = self._batch_size if whole else 0
        self._leftover = jax.tree.map(lambda column: column[taken:], rows)
        return jax.tree.map(lambda column: column[:taken], rows) if whole else None


def _dataset(
    server_address: str, signature: Row, batch_size: int, workers: int
) -> tf.data.Dataset:
    samples = reverb.TrajectoryDataset(
        server_address,
        TABLE,
        dtypes=tf.nest.map_structure(lambda leaf: leaf.dtype, signature),
        shapes=tf.nest.map_structure(lambda leaf: leaf.shape, signature),
        max_in_flight_samples_per_worker=2 * batch_size,
        num_workers_per_iterator=workers,
        rate_limiter_timeout_ms=_POLL_MS,
    )
    options = tf.data.Options()
    options.threading.private_threadpool_size = 2
    return samples.batch(batch_size).prefetch(2).with_options(options)


def signature(storage: Storage, spec: Spec, frame_stack: int, extras: Any) -> Row:
    """Shapes and dtypes of an item: a window of frames, and its last row's columns."""
    stacked = int(frame_stack > 1)
    leaves = jax.tree.leaves(extras)
    step = Row(
        tf.TensorSpec(spec.observation.shape[stacked:], spec.observation.dtype),
        tf.TensorSpec(spec.action.shape, spec.action.dtype),
        tf.TensorSpec([], tf.float32),
        tf.TensorSpec([], tf.float32),
        tf.TensorSpec([], tf.int32),
        tuple(tf.TensorSpec(leaf.shape, leaf.dtype) for leaf in leaves),
    )
    config = _writer_config(storage.n_step + frame_stack, len(leaves))
    return reverb.structured_writer.infer_signature([config], step)


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
    return reverb.structured_writer.create_config(pattern, table, [completes])
