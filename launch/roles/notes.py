"""What an evaluation finds besides returns: completions, and measures.

The discounted return is what the agent's values estimate, apart from a bonus, such as
that for entropy, and from the scale of a dataset's rewards. An agent with a discount of
0.99 learns little from what happens after 300 steps, and may fall then.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import dm_env
import jax
import numpy as np

from agents.parts.contract import Agent, Params
from environments.vector import VectorEnvironment
from launch.runs.logs import Sample

MOST_SAMPLES = 256  # of one evaluation
DISCOUNTED = "discounted_return"

_FIRST, _LAST = int(dm_env.StepType.FIRST), int(dm_env.StepType.LAST)


class Notes:
    """Listens to the evaluator's actor, in the place of a store; a `replay.Adder`.

    The agent's `measure` sees the observations at which all lanes begin an episode.
    Completions are noted if the environment is a language task.

    Attributes:
        samples: the first completions of the evaluation.
    """

    def __init__(self, agent: Agent):
        """Listens to nothing before `begin`.

        Args:
            agent: gives its discount, and `measure` if it has one.
        """
        self._discount = agent.discount
        self._measure = jax.jit(agent.measure) if agent.measure is not None else None
        self.samples: list[Sample] = []

    def begin(self, environment: VectorEnvironment, params: Params, seed: int) -> None:
        """Starts the notes of an evaluation.

        Args:
            environment: in which the actor will act.
            params: that the agent's `measure` reads.
            seed: of `measure`.
        """
        self._task = getattr(environment, "task", None)  # of a LanguageEnvironment
        self._params = params
        self._key = jax.random.key(seed)
        self._measured: list[Mapping[str, Any]] = []
        self.samples = []
        self._clip = environment.reward_clip or np.inf
        self._sums = np.zeros(environment.num_environments)
        self._weights = np.ones(environment.num_environments)
        self._ended: list[list[float]] = [[] for _ in self._sums]

    def measures(self, episodes: Sequence[int]) -> dict[str, float]:
        """Means over the evaluation: of the agent's measures, of discounted returns.

        This ends the notes: the parameters are let go, as they need memory.

        Discounted returns are of rewards as the replay stores them, hence clipped where
        the environment says so, but not divided by the range of a dataset's rewards.
        An agent without a discount has none.

        Args:
            episodes: number of episodes of each lane that count, from its first on.
        """
        self._params = {}
        means: dict[str, float] = {}
        if self._measured:
            found = jax.tree.map(lambda *values: np.mean(values), *self._measured)
            means = {name: float(value) for name, value in found.items()}
        counted = [
            value
            for lane, number in zip(self._ended, episodes, strict=True)
            for value in lane[:number]
        ]
        if counted and self._discount < 1:
            means[DISCOUNTED] = float(np.mean(counted))
        return means

    def observe_first(self, timestep: dm_env.TimeStep) -> None:
        """Measures at the first timestep of every lane."""
        self._observation = timestep.observation
        self._take_measures()

    def observe(
        self, actions: np.ndarray, timestep: dm_env.TimeStep, extras: Any = ()
    ) -> None:
        """Notes completions at a LAST of all lanes; measures at a FIRST of all."""
        del extras
        types = timestep.step_type
        self._add_rewards(timestep)
        if self._task is not None and (types == _LAST).all():
            self._note(actions, timestep.reward)
        self._observation = timestep.observation
        if (types == _FIRST).all():
            self._take_measures()

    def close(self) -> None:
        """Does nothing."""

    def _add_rewards(self, timestep: dm_env.TimeStep) -> None:
        first = timestep.step_type == _FIRST
        rewards = np.clip(timestep.reward, -self._clip, self._clip)
        self._sums = np.where(first, 0.0, self._sums + self._weights * rewards)
        discounts = self._discount * timestep.discount
        self._weights = np.where(first, 1.0, self._weights * discounts)
        for lane in np.flatnonzero(timestep.step_type == _LAST):
            self._ended[lane].append(float(self._sums[lane]))

    def _take_measures(self) -> None:
        if self._measure is not None:
            key = jax.random.fold_in(self._key, len(self._measured))
            metrics = self._measure(self._params, key, self._observation)
            self._measured.append(jax.tree.map(np.asarray, metrics))

    def _note(self, actions: np.ndarray, rewards: np.ndarray) -> None:
        task = self._task
        assert task is not None
        text = task.vocabulary.text
        for seen, action, reward in zip(
            self._observation, actions, rewards.tolist(), strict=True
        ):
            if len(self.samples) < MOST_SAMPLES:
                prompt, reference = np.split(seen, [task.prompt_columns])
                sample = Sample(text(prompt), text(action), reward, text(reference))
                self.samples.append(sample)
