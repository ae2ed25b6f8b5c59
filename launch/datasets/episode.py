"""One episode of a dataset."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from launch.datasets.dataset import Dataset


class Episode(NamedTuple):
    """An episode of T steps, or the beginning of one.

    Attributes:
        observations: `[T + 1, ...]`.
        actions: `[T, D]` in [-1, 1].
        rewards: `[T]` raw.
        terminated: whether the episode terminated; else it was cut short.
    """

    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    terminated: bool

    @property
    def length(self) -> int:
        """T, the number of steps."""
        return len(self.rewards)

    @property
    def episode_return(self) -> float:
        """Undiscounted sum of the rewards."""
        return float(np.sum(self.rewards, dtype=np.float64))

    def first(self, steps: int) -> "Episode":
        """The episode's first `steps` steps; all of it if it has no more."""
        if steps >= self.length:
            return self
        return Episode(
            self.observations[: steps + 1],
            self.actions[:steps],
            self.rewards[:steps],
            terminated=False,
        )


def split(dataset: Dataset) -> Iterator[Episode]:
    """The episodes of a dataset, in order."""
    step, start = dataset.transitions, 0
    for end in np.flatnonzero(dataset.ends) + 1:
        rows = slice(start, end)
        last = step.next_observation[end - 1 : end]
        yield Episode(
            np.concatenate([step.observation[rows], last]),
            step.action[rows],
            step.reward[rows],
            terminated=bool(step.discount[end - 1] == 0),
        )
        start = end
