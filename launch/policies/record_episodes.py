"""Whole episodes, as datasets are written of them."""

from typing import Any

import dm_env
import numpy as np

from agents.parts.contract import Act
from environments.vector import VectorEnvironment
from launch.datasets.episode import Episode
from launch.roles.actor import Actor, Loop

_FIRST, _LAST = int(dm_env.StepType.FIRST), int(dm_env.StepType.LAST)


class Recording:
    """Takes down the episodes of N lanes; an `Adder` that stores nothing else.

    No episode begins once enough steps are taken down; those under way then go on to
    their end. Leaving them out would favour short ones.

    Args:
        steps: how many are enough.

    Attributes:
        episodes: whole ones, in the order in which they ended.
    """

    def __init__(self, steps: int):
        self._wanted = steps
        self._taken = 0
        self._lanes: list[_Lane | None] = []
        self.episodes: list[Episode] = []

    @property
    def done(self) -> bool:
        """Whether there are enough steps and no episode is under way."""
        return self._taken >= self._wanted and not any(self._lanes)

    def observe_first(self, timestep: dm_env.TimeStep) -> None:
        """Begins an episode in every lane."""
        self._lanes = [_Lane(observation) for observation in timestep.observation]

    def observe(
        self, actions: np.ndarray, timestep: dm_env.TimeStep, extras: Any = ()
    ) -> None:
        """Takes down a step of every lane, `[N, ...]`, without its extras."""
        for i, step_type in enumerate(timestep.step_type.tolist()):
            if step_type == _FIRST:
                more = self._taken < self._wanted
                self._lanes[i] = _Lane(timestep.observation[i]) if more else None
                continue
            lane = self._lanes[i]
            if lane is None:
                continue
            lane.add(actions[i], timestep.reward[i], timestep.observation[i])
            self._taken += 1
            if step_type == _LAST:
                self.episodes.append(lane.episode(bool(timestep.discount[i] == 0)))
                self._lanes[i] = None

    def close(self) -> None:
        """Does nothing: there is no connection to end."""


class _Lane:
    """The episode under way in one lane."""

    def __init__(self, observation: np.ndarray):
        self._observations = [observation]
        self._actions: list[np.ndarray] = []
        self._rewards: list[float] = []

    def add(self, action: np.ndarray, reward: float, observation: np.ndarray) -> None:
        self._actions.append(action)
        self._rewards.append(reward)
        self._observations.append(observation)

    def episode(self, terminated: bool) -> Episode:
        return Episode(
            np.stack(self._observations),
            np.stack(self._actions),
            np.array(self._rewards, np.float32),
            terminated,
        )


def play(
    environment: VectorEnvironment,
    act: Act,
    params: dict,
    *,
    steps: int,
    seed: int,
    actor_steps: int,
) -> list[Episode]:
    """Whole episodes of a policy that explores, of at least so many steps together.

    Args:
        environment: all its lanes are played.
        act: an agent's.
        params: of its networks.
        steps: how many are enough.
        seed: of exploration.
        actor_steps: how far the run is said to be, for schedules of exploration.
    """
    recording = Recording(steps)
    actor = Actor(act, lambda: params, seed, adder=recording)
    actor.actor_steps = actor_steps
    loop = Loop(environment, actor, actor_steps)
    while not recording.done:
        loop.step()
    return recording.episodes
