"""What an evaluation finds besides returns: completions, the agent's measures."""

from collections.abc import Mapping
from typing import Any

import dm_env
import jax
import numpy as np

from agents.parts.contract import Agent, Params
from environments.vector import VectorEnvironment
from launch.runs.logs import Sample

MOST_SAMPLES = 256  # of one evaluation

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
            agent: gives `measure`, if it has one.
        """
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

    def measures(self) -> dict[str, float]:
        """Means of the agent's measures over the evaluation."""
        if not self._measured:
            return {}
        means = jax.tree.map(lambda *values: np.mean(values), *self._measured)
        return {name: float(value) for name, value in means.items()}

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
        if self._task is not None and (types == _LAST).all():
            self._note(actions, timestep.reward)
        self._observation = timestep.observation
        if (types == _FIRST).all():
            self._take_measures()

    def close(self) -> None:
        """Does nothing."""

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
