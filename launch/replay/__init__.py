"""Replay: two stores of transitions for the learner, behind one interface.

`launch.replay.in_process` is seeded and needs no other process; `launch.replay.
reverb_store` and `reverb_reader` serve runs whose actors and learner are separate
processes. They import Reverb, as `snapshot` does: import these where they are used.
"""

from typing import Any, Protocol

import dm_env
import numpy as np

# Entry of the `progress` of queues: transitions that wait in them.
QUEUED = "queued"


class Adder(Protocol):
    """Stores the steps that an actor takes in N environments that step together.

    Rewards are those to learn from: if they are clipped, the actor has done so.
    """

    def observe_first(self, timestep: dm_env.TimeStep) -> None:
        """Adds the first timestep of every lane; leaves are `[N, ...]`."""

    def observe(
        self, actions: np.ndarray, timestep: dm_env.TimeStep, extras: Any = ()
    ) -> None:
        """Adds a step of every lane.

        Lanes whose timestep is FIRST start an episode; their action and extras are
        ignored, and the steps of their previous episode are kept.

        Args:
            actions: `[N]` or `[N, D]`.
            timestep: the result of the actions; leaves are `[N, ...]`.
            extras: the extras that the policy returned with the actions; leaves
                `[N, ...]`. The caller must not write to any of these arrays later.
        """

    def close(self) -> None:
        """Stores all pending steps and closes the connection, if there is one."""


class DistributedAdder(Adder, Protocol):
    """An adder for a replay in another process; adding a step may have to wait."""

    @property
    def waited_seconds(self) -> float:
        """Time spent waiting for the replay so far."""
