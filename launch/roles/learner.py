"""Learning: a compiled update over a stream of batches; serves its parameters."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from agents.parts import sgd
from agents.parts.contract import Agent, Metrics, NetworkParams, Params, TrainingState
from launch import finite


class Learner:
    """One gradient step after another, on all local devices.

    It has the methods of `acme.core.Learner` (see `launch/roles/acme_interfaces.py`).
    """

    def __init__(
        self,
        agent: Agent,
        seed: int,
        next_batch: Callable[[], Any],
        shared: Callable[[], Any] | None = None,
    ) -> None:
        """Builds a learner.

        Args:
            agent: what to learn.
            seed: of initialisation and of the updates.
            next_batch: returns what the agent's update takes, a Transition with leaves
                `[B, ...]`; may block.
            shared: returns what the update takes as a third argument, whole on every
                device (see `sgd.replicate`); None: it takes two.

        Raises:
            ValueError: the local devices cannot share the batch evenly.
        """
        self._update = sgd.compile_update(
            agent.update,
            agent.storage.batch_size,
            field=agent.batch_field,
            shared=shared is not None,
        )
        self._state = jax.jit(agent.init)(jax.random.key(seed))
        self._next_batch = next_batch
        self._shared = shared
        self.learner_steps = 0
        self.metrics: Metrics = {}

    @property
    def params(self) -> Params:
        """The newest online parameters, by network name."""
        return self._state.params

    @property
    def running(self) -> jax.Array:
        """A result of the update under way, or of the last one."""
        return self._state.steps

    def step(self) -> None:
        """One learner step; returns as soon as it is under way on the device."""
        inputs = [self._next_batch()]
        if self._shared is not None:
            inputs.append(self._shared())
        self._state, self.metrics = self._update(self._state, *inputs)
        self.learner_steps += 1

    def run(self, num_steps: int | None = None) -> None:
        """Steps `num_steps` times, or for ever."""
        done = 0
        while num_steps is None or done < num_steps:
            self.step()
            done += 1

    def get_variables(self, names: Sequence[str]) -> list[NetworkParams]:
        """Online parameters of the named networks, as numpy arrays."""
        params = self._state.params
        return [jax.tree.map(np.asarray, params[name]) for name in names]

    def save(self) -> TrainingState:
        """The whole training state.

        Raises:
            NotFinite: the newest metrics are not finite, and so is what was learned.
        """
        metrics = {name: float(value) for name, value in self.metrics.items()}
        finite.check_metrics(metrics, self.learner_steps)
        return self._state

    def restore(self, state: TrainingState) -> None:
        """Continues from a saved state."""
        self._state = jax.device_put(state)
        self.learner_steps = int(state.steps)
