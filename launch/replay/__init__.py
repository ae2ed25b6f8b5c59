"""Where transitions wait for the learner: two stores behind one interface.

`launch.replay.in_process` is seeded and lives in this process; `launch.replay.
reverb_store` serves runs whose actor and learner are apart, and is the only module
that imports Reverb (and with it TensorFlow): import it where it is used.
"""

from typing import Any, Protocol

import dm_env
import numpy as np


class Adder(Protocol):
    """What an actor tells about N environments that step together.

    Rewards are those to learn from: where they are clipped, the actor has done so.
    """

    def observe_first(self, timestep: dm_env.TimeStep) -> None:
        """Adds the first timestep of every lane; leaves are `[N, ...]`."""

    def observe(
        self, actions: np.ndarray, timestep: dm_env.TimeStep, extras: Any = ()
    ) -> None:
        """Adds a step.

        Lanes whose timestep is FIRST start an episode; their action and extras are
        ignored, and steps of the episode they leave are kept.

        Args:
            actions: `[N]` or `[N, D]`.
            timestep: what the actions led to; leaves are `[N, ...]`.
            extras: what the policy returned beside the actions; leaves `[N, ...]`.
                Nothing of all this is written to afterwards.
        """

    def close(self) -> None:
        """Hands over what is not stored yet and ends the connection, if any."""


class DistributedAdder(Adder, Protocol):
    """An adder whose replay is another process, which may make it wait.

    Attributes:
        waited_seconds: time spent waiting for the replay so far.
    """

    waited_seconds: float
