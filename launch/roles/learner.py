"""The learner: runs compiled updates, and hands out its parameters.

It may be one of several processes that share each batch, see `launch.roles.gang`. If
one of them gets no further batch, the others may be in the middle of an update that
needs it. It therefore takes the remaining steps of a turn with an empty batch, which
makes such an update leave the state of all unchanged.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from agents.parts.contract import (
    Agent,
    Metrics,
    NetworkParams,
    Params,
    TrainingState,
)
from launch import devices, finite
from launch.roles.batches import Batches, EndingBatches
from launch.roles.idle_time import UpdateClock


class Learner:
    """Takes one gradient step after another, on all devices.

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
            UnevenBatch: the devices cannot share the batch evenly.
        """

        # Reading and learning are one computation: each alone would wait for the other.
        def update(
            state: TrainingState, batch: Any, shared: Any
        ) -> tuple[TrainingState, Metrics]:
            return agent.update(state, batches.read(batch, shared))

        self._several = jax.process_count() > 1
        self._update = devices.compile_update(
            _with_idle_ranks(update) if self._several else update,
            agent.storage.batch_size,
        )
        first = jax.jit(agent.init)(jax.random.key(seed))
        self._state: TrainingState = devices.replicate(first)
        self._batches = batches
        self._idle = False
        self._clock = clock
        self.learner_steps = 0
        self.metrics: Metrics = {}

    @property
    def params(self) -> Params:
        """The newest online parameters, by network name."""
        return devices.local(self._state.params)

    def step(self) -> None:
        """Starts one learner step; returns as soon as it is under way on the device."""
        asked = time.monotonic()
        batch = self._next_share() if self._several else self._batches.next()
        if self._clock is not None:
            self._clock.fetched(asked, self._state.steps)
        self._state, self.metrics = self._update(
            self._state, batch, self._batches.shared
        )
        self.learner_steps += 1
        if self._clock is not None:
            self._clock.dispatched(self._state.steps)

    def _next_share(self) -> Any:
        """This process's part of the next batch, and whether it is not empty."""
        batch = None
        if not self._idle:
            try:
                batch = self._batches.next()
            except StopIteration:
                self._idle = True
        if self._idle:
            batch = cast(EndingBatches, self._batches).empty()
        ready = np.full(jax.local_device_count(), not self._idle)
        return devices.share((batch, ready))

    def run(self, num_steps: int | None = None) -> None:
        """Steps `num_steps` times, or for ever.

        Raises:
            StopIteration: there will be no further batch.
        """
        before, metrics = self.learner_steps, self.metrics
        while num_steps is None or self.learner_steps < before + num_steps:
            self.step()
        if not self._several:
            return
        taken = int(self._state.steps)
        if taken < self.learner_steps:  # by the same number in all processes
            self.learner_steps, self.metrics = taken, metrics
            raise StopIteration

    def get_variables(self, names: Sequence[str]) -> list[NetworkParams]:
        """Online parameters of the named networks, as numpy arrays."""
        return self.versioned(names)[1]

    def versioned(self, names: Sequence[str]) -> tuple[int, list[NetworkParams]]:
        """The learner step, and the newest parameters of the named networks.

        Any thread may call it.
        """
        state = self._state  # consistent, also while another thread learns
        params = devices.local(state.params)
        networks = [jax.tree.map(np.asarray, params[name]) for name in names]
        return int(state.steps), networks

    def save(self) -> TrainingState:
        """The whole training state.

        Raises:
            NotFinite: the newest metrics, and so the parameters, are not finite.
        """
        metrics = {name: float(value) for name, value in self.metrics.items()}
        finite.check_metrics(metrics, self.learner_steps)
        return devices.local(self._state)

    def restore(self, state: TrainingState) -> None:
        """Continues from a saved state."""
        self._state = devices.replicate(state)
        self.learner_steps = int(state.steps)

    def take_over(self, networks: Mapping[str, NetworkParams]) -> None:
        """Replaces the parameters of those of its networks that have these names.

        Targets that are copies of these networks become copies of the new ones.
        """
        state = devices.local(self._state)
        params, targets = dict(state.params), dict(state.target_params)
        for name in networks.keys() & params.keys():
            for target, value in state.target_params.items():
                if _equal(value, params[name]):
                    targets[target] = networks[name]
            params[name] = networks[name]
        self.restore(state._replace(params=params, target_params=targets))


def _equal(network: NetworkParams, other: NetworkParams) -> bool:
    """Whether two networks have the same arrays."""
    leaves, structure = jax.tree.flatten(network)
    others, other_structure = jax.tree.flatten(other)
    if str(structure) != str(other_structure):
        return False
    pairs = zip(leaves, others, strict=True)
    return all(np.array_equal(left, right) for left, right in pairs)


def _with_idle_ranks(update: devices.SharedUpdate) -> devices.SharedUpdate:
    """The update of several processes, which changes nothing if one has no batch."""

    def guarded(
        state: TrainingState, given: tuple[Any, jax.Array], shared: Any
    ) -> tuple[TrainingState, Metrics]:
        batch, ready = given
        updated, metrics = update(state, batch, shared)
        whole = jnp.all(ready)
        kept = jax.tree.map(lambda a, b: jnp.where(whole, a, b), updated, state)
        return kept, metrics

    return guarded
