"""Our actor and learner under Acme's interfaces, so that Acme's own loops drive them.

They do not inherit from Acme's classes, because importing Acme imports Launchpad, which
a local run must not need; importing this module registers them instead.
"""

from typing import Any

import acme.core
import dm_env
import numpy as np

from launch.roles.actor import Actor
from launch.roles.learner import Learner

acme.core.Actor.register(Actor)
acme.core.Learner.register(Learner)


class OneLane:
    """An actor of one environment, for `acme.EnvironmentLoop`, which has no lanes.

    Adds the leading axis that `Actor` needs, removes it from the actions, and counts
    the decisions, which `launch.roles.actor.Loop` does in our own runs.
    """

    def __init__(self, actor: Actor):
        """Wraps an actor whose adder, if any, has one lane."""
        self._actor = actor

    def select_action(self, observation: Any) -> np.ndarray:
        """One action for one observation."""
        return self._actor.select_action(np.asarray(observation)[np.newaxis])[0]

    def observe_first(self, timestep: dm_env.TimeStep) -> None:
        """Records the first timestep of an episode."""
        self._actor.observe_first(_one_lane(timestep))

    def observe(self, action: np.ndarray, next_timestep: dm_env.TimeStep) -> None:
        """Records an action and the timestep that follows."""
        lanes = _one_lane(next_timestep)
        self._actor.observe(np.asarray(action)[np.newaxis], lanes)
        self._actor.actor_steps += 1

    def update(self, wait: bool = False) -> None:
        """Updates the wrapped actor."""
        self._actor.update(wait)


acme.core.Actor.register(OneLane)


def _one_lane(timestep: dm_env.TimeStep) -> dm_env.TimeStep:
    """Adds an axis `[1]`; a FIRST, which lacks both, gets reward 0 and discount 1."""
    first = timestep.first()
    return dm_env.TimeStep(
        step_type=np.array([timestep.step_type], np.int32),
        reward=np.array([0.0 if first else timestep.reward], np.float32),
        discount=np.array([1.0 if first else timestep.discount], np.float32),
        observation=np.asarray(timestep.observation)[np.newaxis],
    )
