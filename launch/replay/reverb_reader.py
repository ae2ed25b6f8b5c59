"""Batches from a Reverb table of windows, through TensorFlow's datasets.

Importing this module imports TensorFlow, which is kept off GPUs and to few threads,
because it only moves data and shares the cores with the learner.
"""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import reverb
import tensorflow as tf

from agents.parts.contract import Spec, Storage, Transition
from launch.replay.limiter import TABLE
from launch.replay.rows import Row, decode

# Milliseconds between two checks for a stop while waiting for the rate limiter.
_POLL_MS = 500

tf.config.set_visible_devices([], "GPU")
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(2)


class ReverbReader:
    """Iterator over batches of transitions, until a stop.

    Samples are prefetched, at most 2 * `workers` + 2 batches; the limiter counts them
    as they leave the table. Stop the server last: TensorFlow waits for a server that is
    gone, and does not notice a stop.

    Args:
        server_address: of the server that holds the table, `host:port`.
        storage: of that table; gives the number of rewards in a transition.
        spec: of one environment; frames are stacked along the first axis.
        frame_stack: S, frames in one observation; 1 if they are not stacked.
        stop: returns whether to end the iteration; called at least once a second.
        extras: spec of the extras that the policy returns with one action, see
            `launch.build.make_extras_spec`.
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
        self._window = _window(storage, spec, frame_stack, extras)
        self._dataset = _dataset(
            server_address, self._window, self._batch_size, workers
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
        rows: Row = jax.tree.map(
            lambda leaf: np.zeros((self._batch_size, *leaf.shape), leaf.dtype),
            self._window,
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
    server_address: str, window: Row, batch_size: int, workers: int
) -> tf.data.Dataset:
    samples = reverb.TrajectoryDataset(
        server_address,
        TABLE,
        dtypes=jax.tree.map(lambda leaf: tf.as_dtype(leaf.dtype), window),
        shapes=jax.tree.map(lambda leaf: tf.TensorShape(leaf.shape), window),
        max_in_flight_samples_per_worker=2 * batch_size,
        num_workers_per_iterator=workers,
        rate_limiter_timeout_ms=_POLL_MS,
    )
    options = tf.data.Options()
    options.threading.private_threadpool_size = 2
    return samples.batch(batch_size).prefetch(2).with_options(options)


def _window(storage: Storage, spec: Spec, frame_stack: int, extras: Any) -> Row:
    """Shapes and dtypes of an item: a window of frames, and its last row's columns."""
    frames = storage.n_step + frame_stack
    frame_shape = spec.observation.shape[int(frame_stack > 1) :]
    return Row(
        jax.ShapeDtypeStruct((frames, *frame_shape), spec.observation.dtype),
        jax.ShapeDtypeStruct(spec.action.shape, spec.action.dtype),
        jax.ShapeDtypeStruct((), np.float32),
        jax.ShapeDtypeStruct((), np.float32),
        jax.ShapeDtypeStruct((), np.int32),
        tuple(
            jax.ShapeDtypeStruct(leaf.shape, leaf.dtype)
            for leaf in jax.tree.leaves(extras)
        ),
    )
