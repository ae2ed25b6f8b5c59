"""Records whole episodes, from which datasets are written."""

from typing import Any

import dm_env
import numpy as np

from agents.parts.contract import Act
from environments.vector import VectorEnvironment
from launch.datasets.dataset import check_discounts
from launch.datasets.episode import Episode
from launch.roles.actor import Actor, Loop

_FIRST, _LAST = int(dm_env.StepType.FIRST), int(dm_env.StepType.LAST)


class Recording:
    """An `Adder` that records the whole episodes of N lanes.

    Once enough steps are recorded no episode begins, and current episodes are played to
    their end: dropping them would favour short episodes.

    Args:
        steps: number of steps after which no episode begins.

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
        """Whether enough steps are recorded and all episodes have ended."""
        return self._taken >= self._wanted and not any(self._lanes)

    def observe_first(self, timestep: dm_env.TimeStep) -> None:
        """Begins an episode in every lane."""
        self._lanes = [_Lane(observation) for observation in timestep.observation]

    def observe(
        self, actions: np.ndarray, timestep: dm_env.TimeStep, extras: Any = ()
    ) -> None:
        """Records a step of every lane, `[N, ...]`, without its extras.

        Raises:
            DatasetError: a discount of the environment is neither 0 nor 1.
        """
        check_discounts(f"after {self._taken} steps, lane", timestep.discount)
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
    """The current episode of one lane."""

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
    """Plays whole episodes with exploration, of at least `steps` steps in total.

    Args:
        environment: all its lanes are played.
        act: the agent's `act`.
        params: of the agent's networks.
        steps: number of steps after which no episode begins.
        seed: of exploration.
        actor_steps: assumed steps of the run so far, for schedules of exploration.
    """
    recording = Recording(steps)
    actor = Actor(act, lambda: params, seed, adder=recording)
    actor.actor_steps = actor_steps
    loop = Loop(environment, actor, actor_steps)
    while not recording.done:
        loop.step()
    return recording.episodes
