"""A dataset in memory."""

from typing import NamedTuple

import numpy as np

from agents.parts.types import Transition


class Dataset(NamedTuple):
    """Logged transitions, episode after episode, in the order they happened.

    Attributes:
        source: the file or id it was read from, for messages.
        transitions: single steps, leaves `[M, ...]` numpy: observations and actions
            float32, actions within [-1, 1], rewards as the environment gave them, a
            discount of 0 where the episode terminated and 1 elsewhere.
        ends: `[M]` bool, whether the episode's record ends with this transition.
        reference: returns that score 0 and 100; None if nobody said.
    """

    source: str
    transitions: Transition
    ends: np.ndarray
    reference: tuple[float, float] | None = None

    @property
    def size(self) -> int:
        """M, the number of transitions."""
        return len(self.ends)
