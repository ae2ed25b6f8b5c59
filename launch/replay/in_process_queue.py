"""A queue for runs in one process: each transition is used once, the oldest first."""

from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import dm_env
import jax
import numpy as np

from agents.parts.contract import Params, Spec, Storage, Transition
from launch.errors import RunDirectoryError
from launch.replay.transitions import Transitions


class InProcessQueue:
    """Has the methods of `launch.replay.in_process.InProcess`.

    A run acts until a batch is complete, and then learns from it at once. With as many
    environments as a batch has transitions, no batch is older than its parameters, and
    the queue is empty at each checkpoint.

    Attributes:
        inserted: transitions added so far.
        sampled: transitions taken so far.
        shared: None, as an update reads nothing but its batch.
    """

    shared = None

    def __init__(
        self, storage: Storage, spec: Spec, *, num_environments: int, extras: Any = ()
    ):
        """Makes an empty queue.

        Args:
            storage: gives the batch size, and whether truncated episodes are stored as
                terminated.
            spec: of one environment.
            num_environments: N, the number of lanes.
            extras: spec of the extras that the policy returns with one action, see
                `launch.build.make_extras_spec`.
        """
        self._storage = storage
        self._transitions = Transitions(storage, spec, num_environments, extras)
        self._spec = self._transitions.spec
        self._items: deque[tuple[Any, ...]] = deque()  # leaves of a transition
        self.inserted = 0
        self.sampled = 0

    def observe_first(self, timestep: dm_env.TimeStep) -> None:
        """Begins an episode in every lane."""
        self._transitions.observe_first(timestep)

    def observe(
        self, actions: np.ndarray, timestep: dm_env.TimeStep, extras: Any = ()
    ) -> None:
        """Adds a step: `[N, ...]` actions, the timestep they led to, their extras.

        Raises:
            ValueError: a lane steps before its first timestep.
        """
        found = self._transitions.observe(actions, timestep, extras)
        self._items += zip(*jax.tree.leaves(found), strict=True)
        self.inserted += len(found.reward)

    def close(self) -> None:
        """Does nothing: there is no connection to end."""

    def prepare(self, params: Params, tick: Callable[[], None]) -> None:
        """Does nothing: this store needs no preparation."""

    def owed(self) -> int:
        """Number of batches that are complete."""
        return len(self._items) // self._storage.batch_size

    def next(self) -> Transition:
        """Takes the oldest batch.

        Raises:
            ValueError: no batch is complete.
        """
        size = self._storage.batch_size
        if len(self._items) < size:
            raise ValueError(
                f"the queue holds {len(self._items)} of {size} transitions"
            )
        taken = [self._items.popleft() for _ in range(size)]
        self.sampled += size
        return self._stack(taken)

    def read(self, batch: Transition, shared: None) -> Transition:
        """The batch itself."""
        del shared
        return batch

    def progress(self) -> dict[str, Any]:
        """State that `restore` needs besides the transitions, as plain data."""
        return {"store": {"inserted": self.inserted, "sampled": self.sampled}}

    def stored(self) -> int:
        """Transitions that no update has used."""
        return len(self._items)

    def save(self, path: Path) -> None:
        """Writes the transitions to a new directory, a file for each leaf."""
        path.mkdir()
        leaves = jax.tree.leaves(self._stack(list(self._items)))
        for index, leaf in enumerate(leaves):
            np.save(path / f"leaf{index}.npy", leaf)

    def restore(
        self, path: Path | None, progress: Mapping[str, Any], learner_steps: int
    ) -> None:
        """Loads the transitions that `save` wrote; unfinished episodes are given up.

        Args:
            path: the directory that `save` wrote; None: the queue stays empty.
            progress: the return value of `progress` at that time.
            learner_steps: learner steps at that time; not used.

        Raises:
            RunDirectoryError: the transitions do not fit this queue.
        """
        if path is None:
            return
        columns = []
        for index, wanted in enumerate(jax.tree.leaves(self._spec)):
            file = path / f"leaf{index}.npy"
            column = np.load(file) if file.exists() else np.zeros(0)
            if (column.shape[1:], column.dtype) != (wanted.shape, wanted.dtype):
                raise RunDirectoryError(
                    f"{file} must hold rows of shape {list(wanted.shape)} "
                    f"{wanted.dtype}: resume with the agent and the environment that "
                    "saved it"
                )
            columns.append(column)
        self._items = deque(zip(*columns, strict=True))
        self.inserted = progress["store"]["inserted"]
        self.sampled = progress["store"]["sampled"]

    def _stack(self, items: list[tuple[Any, ...]]) -> Transition:
        """Transitions as one, leaves `[B, ...]`."""
        leaves, structure = jax.tree.flatten(self._spec)
        columns = [
            np.array([item[index] for item in items], leaf.dtype).reshape(
                len(items), *leaf.shape
            )
            for index, leaf in enumerate(leaves)
        ]
        return jax.tree.unflatten(structure, columns)
