"""Replay for runs with separate actor and learner processes: a Reverb table of windows.

Rows are streamed by one `reverb.StructuredWriter` for each environment, which sends
each frame once and makes an item of the n + S rows that end at a completed transition.

`launch.replay.reverb_reader` reads the table. Importing this module imports Reverb.
"""

from collections.abc import Callable, Iterator
from typing import Any

import dm_env
import jax
import numpy as np
import reverb

from agents.parts.contract import Spec, Storage
from launch.replay.limiter import TABLE, error_buffer
from launch.replay.reverb_writers import Writers
from launch.replay.rows import Row, Rows

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
    ):
        self._rows = Rows(
            storage,
            spec,
            discount=discount,
            frame_stack=frame_stack,
            num_environments=num_environments,
            extras=extras,
        )
        window = storage.n_step + frame_stack
        config = _writer_config(window, self._rows.num_extras)
        self._writers = Writers(client, config, num_environments, stop)

    @property
    def waited_seconds(self) -> float:
        """Time spent waiting for the server so far."""
        return self._writers.waited_seconds

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
        self._writers.close()

    def _append(self, rows: Iterator[tuple[int, Row]]) -> None:
        # `end_episode` is never called: rows that complete no transition keep windows
        # within an episode, and the call would wait for every pending item.
        for lane, row in rows:
            self._writers.append(lane, self._rows.as_arrays(row))
        self._writers.flush(_MAX_PENDING)


def _writer_config(window: int, num_extras: int) -> reverb.structured_writer.Config:
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
        flat=jax.tree.leaves(pattern), table=TABLE, priority=1.0, conditions=[completes]
    )
