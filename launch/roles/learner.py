"""The learner: runs compiled updates, and hands out its parameters."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from agents.parts.contract import (
    Agent,
    Metrics,
    NetworkParams,
    Params,
    TrainingState,
)
from launch import devices, finite
from launch.roles.batches import Batches
from launch.roles.idle_time import UpdateClock


class Learner:
    """Takes one gradient step after another, on all local devices.

    It has the methods of `acme.core.Learner` (see `launch/roles/acme_interfaces.py`).

    Attributes:
        learner_steps: gradient steps done.
        metrics: of the newest update; they may lie on a device.
    """

    def __init__(
        self,
        agent: Agent,
        seed: int,
        batches: Batches,
        clock: UpdateClock | None = None,
    ) -> None:
        """Builds a learner.

        Args:
            agent: the agent to learn.
            seed: of initialisation and of the updates.
            batches: the source of its batches.
            clock: measures how long updates and batches wait for each other.

        Raises:
            UnevenBatch: the local devices cannot share the batch evenly.
        """

        # Reading and learning are one computation: each alone would wait for the other.
        def update(
            state: TrainingState, batch: Any, shared: Any
        ) -> tuple[TrainingState, Metrics]:
            return agent.update(state, batches.read(batch, shared))

        self._update = devices.compile_update(update, agent.storage.batch_size)
        self._state = jax.jit(agent.init)(jax.random.key(seed))
        self._batches = batches
        self._clock = clock
        self.learner_steps = 0
        self.metrics: Metrics = {}

    @property
    def params(self) -> Params:
        """The newest online parameters, by network name."""
        return self._state.params

    def step(self) -> None:
        """Starts one learner step; returns as soon as it is under way on the device."""
        asked = time.monotonic()
        batch = self._batches.next()
        if self._clock is not None:
            self._clock.fetched(asked, self._state.steps)
        self._state, self.metrics = self._update(
            self._state, batch, self._batches.shared
        )
        self.learner_steps += 1
        if self._clock is not None:
            self._clock.dispatched(self._state.steps)

    def run(self, num_steps: int | None = None) -> None:
        """Steps `num_steps` times, or for ever."""
        done = 0
        while num_steps is None or done < num_steps:
            self.step()
            done += 1

    def get_variables(self, names: Sequence[str]) -> list[NetworkParams]:
        """Online parameters of the named networks, as numpy arrays."""
        return self.versioned(names)[1]

    def versioned(self, names: Sequence[str]) -> tuple[int, list[NetworkParams]]:
        """The learner step, and the newest parameters of the named networks.

        Any thread may call it.
        """
        state = self._state  # consistent, also while another thread learns
        networks = [jax.tree.map(np.asarray, state.params[name]) for name in names]
        return int(state.steps), networks

    def save(self) -> TrainingState:
        """The whole training state.

        Raises:
            NotFinite: the newest metrics, and so the parameters, are not finite.
        """
        metrics = {name: float(value) for name, value in self.metrics.items()}
        finite.check_metrics(metrics, self.learner_steps)
        return self._state

    def restore(self, state: TrainingState) -> None:
        """Continues from a saved state."""
        self._state = jax.device_put(state)
        self.learner_steps = int(state.steps)

    def take_over(self, networks: Mapping[str, NetworkParams]) -> None:
        """Replaces the parameters of those of its networks that have these names."""
        params = self._state.params
        given = {name: networks[name] for name in networks if name in params}
        self.restore(self._state._replace(params={**params, **given}))
