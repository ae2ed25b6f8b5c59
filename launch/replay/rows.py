"""Turns vector timesteps into one stream of rows per environment, for both stores.

A row holds one frame, so a frame is stored once however many stacks it is part of.
With n = `n_step` and S = `frame_stack`, an episode of T decisions becomes

    S rows       the frames of the first observation; they complete no transition
    T rows       the newest frame of each later observation
    n - 1 rows   padding, which completes the transitions shorter than n steps that
                 end at the last observation

and there is exactly one transition for each decision. The window of n + S rows that
ends at the row completing a transition holds it: its first S rows are the observation,
the S rows that start `steps` rows later the next observation. A window never reaches
into another episode.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

import dm_env
import jax
import numpy as np

from agents.parts.contract import Spec, Storage, Transition

_FIRST = int(dm_env.StepType.FIRST)
_LAST = int(dm_env.StepType.LAST)


class Row(NamedTuple):
    """One frame, and the transition that is complete once this frame is known.

    The columns of several rows, and their specs, have the same structure.

    Attributes:
        frame: newest frame of the observation; the observation if not stacked.
        action: taken `steps` decisions ago.
        reward: sum of `steps` rewards, as in `Transition.reward`.
        discount: as in `Transition.discount`.
        steps: number of rewards in the sum; 0 if this row completes no transition.
        extras: leaves of the extras that the policy returned with it, a tuple.
    """

    frame: Any
    action: Any
    reward: Any
    discount: Any
    steps: Any
    extras: Any


class Rows:
    """Turns the timesteps of N environments into rows, lane by lane.

    Frames, actions and extras are kept by reference until they are stored: the caller
    must not write to them later.

    Args:
        storage: gives n, the number of rewards that are summed, and whether truncated
            episodes are stored as terminated.
        spec: of one environment; frames are stacked along the first axis.
        discount: gamma, weighs the rewards inside an n-step transition.
        frame_stack: S, frames in one observation; 1 if they are not stacked.
        num_environments: N, the number of lanes.
        extras: spec of the extras that the policy returns with one action, see
            `launch.build.make_extras_spec`.

    Raises:
        ValueError: the first axis of observations is not a stack of S frames.
    """

    def __init__(
        self,
        storage: Storage,
        spec: Spec,
        *,
        discount: float,
        frame_stack: int,
        num_environments: int,
        extras: Any = (),
    ):
        shape = spec.observation.shape
        if frame_stack > 1 and shape[:1] != (frame_stack,):
            raise ValueError(
                f"observations have shape {shape}: expected {frame_stack} stacked "
                "frames along the first axis"
            )
        self._n_step = storage.n_step
        self._terminal_at_time_limit = storage.terminal_at_time_limit
        self._discount = discount
        self._frame_stack = frame_stack
        self._no_action = np.zeros(spec.action.shape, spec.action.dtype)
        self._no_extras = tuple(
            np.zeros(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(extras)
        )
        # The last (action, reward, discount, extras) of each lane, at most n; None
        # outside of an episode.
        self._recent: list[deque | None] = [None] * num_environments

    @property
    def num_extras(self) -> int:
        """Number of leaves of the extras of an action."""
        return len(self._no_extras)

    def as_arrays(self, row: Row) -> Row:
        """A row whose columns have the types that a table stores."""
        return Row(
            row.frame,
            np.asarray(row.action, self._no_action.dtype),
            np.float32(row.reward),
            np.float32(row.discount),
            np.int32(row.steps),
            tuple(
                np.asarray(leaf, none.dtype)
                for leaf, none in zip(row.extras, self._no_extras, strict=True)
            ),
        )

    def observe_first(self, timestep: dm_env.TimeStep) -> Iterator[tuple[int, Row]]:
        """Yields (lane, row) for a timestep that is FIRST in every lane."""
        for lane in range(len(self._recent)):
            yield from self._start(lane, timestep.observation[lane])

    def observe(
        self, actions: np.ndarray, timestep: dm_env.TimeStep, extras: Any = ()
    ) -> Iterator[tuple[int, Row]]:
        """Yields (lane, row) for a step of all lanes.

        Args:
            actions: `[N]` or `[N, D]`, ignored in lanes that start an episode.
            timestep: the result of the actions; leaves are `[N, ...]`.
            extras: of the actions; leaves `[N, ...]`.

        Yields:
            Lane and row, in the order in which a lane's rows must be stored.

        Raises:
            ValueError: a lane steps before its first timestep.
        """
        actions = np.asarray(actions)
        leaves: tuple[np.ndarray, ...] = ()
        if self._no_extras:
            leaves = tuple(map(np.asarray, jax.tree.leaves(extras)))
        observations = timestep.observation
        rewards = timestep.reward.tolist()
        discounts = timestep.discount.tolist()
        for lane, step_type in enumerate(timestep.step_type.tolist()):
            if step_type == _FIRST:
                yield from self._start(lane, observations[lane])
                continue
            recent = self._recent[lane]
            if recent is None:
                raise ValueError(
                    f"environment {lane} has step type {step_type} outside of an "
                    f"episode: expected {_FIRST} (FIRST)"
                )
            own = tuple(leaf[lane] for leaf in leaves) if leaves else ()
            discount = discounts[lane]
            if step_type == _LAST and self._terminal_at_time_limit:
                discount = 0.0
            recent.append((actions[lane], rewards[lane], discount, own))
            frame = observations[lane]
            if self._frame_stack > 1:
                frame = frame[-1]
            yield lane, self._row(frame, recent, self._n_step)
            if step_type == _LAST:
                self._recent[lane] = None
                yield from self._end(lane, frame, recent)

    def _start(self, lane: int, observation: np.ndarray) -> Iterator[tuple[int, Row]]:
        self._recent[lane] = deque(maxlen=self._n_step)
        frames = observation if self._frame_stack > 1 else observation[None]
        for frame in frames:
            yield lane, Row(frame, self._no_action, 0.0, 0.0, 0, self._no_extras)

    def _end(
        self, lane: int, frame: np.ndarray, recent: deque
    ) -> Iterator[tuple[int, Row]]:
        for steps in range(self._n_step - 1, 0, -1):
            if len(recent) > steps:
                recent.popleft()
            # An episode shorter than `steps` has no such transition, but its first
            # window still needs n + S rows.
            yield lane, self._row(frame, recent, steps)

    def _row(self, frame: np.ndarray, recent: deque, steps: int) -> Row:
        """The row completing the transition over `recent`, if `recent` has `steps`."""
        if len(recent) < steps:
            return Row(frame, self._no_action, 0.0, 0.0, 0, self._no_extras)
        action, total, weight, extras = recent[0]
        for i in range(1, steps):
            _, reward, discount, _ = recent[i]
            weight *= self._discount
            total += weight * reward
            weight *= discount
        return Row(frame, action, total, weight, steps, extras)


def decode(
    window: np.ndarray,
    action: np.ndarray,
    reward: np.ndarray,
    discount: np.ndarray,
    steps: np.ndarray,
    extras: Any = (),
    *,
    frame_stack: int,
) -> Transition:
    """Builds transitions from the windows of rows that hold them.

    Args:
        window: `[B, n + S, ...]` frames.
        action: `[B]` or `[B, D]`; like the next four, of the window's last row.
        reward: `[B]`.
        discount: `[B]`.
        steps: `[B]` integers in 1..n.
        extras: the extras that the policy returned with it; leaves `[B, ...]`.
        frame_stack: S.

    Returns:
        Batch of B transitions; observations may be views of `window`.
    """
    n_step = window.shape[1] - frame_stack
    observation = window[:, :frame_stack]
    if n_step == 1 or (steps == n_step).all():
        next_observation = window[:, n_step:]
    else:
        rows = steps[:, None] + np.arange(frame_stack)
        next_observation = window[np.arange(len(steps))[:, None], rows]
    if frame_stack == 1:
        observation, next_observation = observation[:, 0], next_observation[:, 0]
    return Transition(observation, action, reward, discount, next_observation, extras)
