"""The learner: runs compiled updates, and hands out its parameters.

A learner may compute in a thread, so that its caller acts under the updates. JAX itself
cannot: a CPU computes what one thread has started in order, hence the policy after the
update, even if it does not depend on it.

It may be one of several processes that share each batch, see `launch.roles.gang`. If
one of them gets no further batch, the others may be in the middle of an update that
needs it. It therefore takes the remaining steps of a turn with an empty batch, which
makes such an update leave the state of all unchanged.
"""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future
from typing import Any, NamedTuple, cast

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


class AtHand(NamedTuple):
    """What a caller can use without waiting for the turn under way.

    Attributes:
        params: online parameters of all networks, by name.
        metrics: of the update that made them; empty before the first one.
    """

    params: Params
    metrics: Metrics


class Learner:
    """Takes one gradient step after another, on all devices.

    It has the methods of `acme.core.Learner` (see `launch/roles/acme_interfaces.py`).

    Attributes:
        learner_steps: gradient steps, those under way included.
        metrics: of the newest update; they may lie on a device.
    """

    def __init__(
        self,
        agent: Agent,
        seed: int,
        batches: Batches,
        clock: UpdateClock | None = None,
        *,
        updates_per_call: int = 1,
        thread: Executor | None = None,
    ) -> None:
        """Builds a learner.

        Args:
            agent: the agent to learn.
            seed: of initialisation and of the updates.
            batches: the source of its batches.
            clock: measures how long updates and batches wait for each other.
            updates_per_call: K; `run` takes K steps in one compiled call where so many
                are left. It must be 1 in a learner of several processes.
            thread: with one worker, which computes the turns of `run`; None: the caller
                of `run` computes them.

        Raises:
            UnevenBatch: the devices cannot share the batch evenly.
        """

        # Reading and learning are one computation: each alone would wait for the other.
        def update(
            state: TrainingState, batch: Any, shared: Any
        ) -> tuple[TrainingState, Metrics]:
            state, metrics = agent.update(state, batches.read(batch, shared))
            finite.check_one_number_each(metrics)  # when it is compiled
            return state, metrics

        self._several = jax.process_count() > 1
        self._update = devices.compile_update(
            _with_idle_ranks(update) if self._several else update,
            agent.storage.batch_size,
        )
        self._updates_per_call = updates_per_call
        self._batches = batches
        self._idle = False
        self._clock = clock
        self._thread = thread
        self._turn: Future[None] | None = None  # under way
        first = jax.jit(agent.init)(jax.random.key(seed))
        self._state: TrainingState = devices.replicate(first)  # nobody else has it
        self.learner_steps = 0
        self.metrics: Metrics = {}
        self.catch_up()

    @property
    def params(self) -> Params:
        """The newest online parameters, by network name, after the turn under way."""
        self._wait()
        return devices.local(self._state.params)

    @property
    def at_hand(self) -> AtHand:
        """The newest parameters; with a thread, those of before the turn under way."""
        if self._thread is None:
            return AtHand(self.params, self.metrics)
        return self._at_hand

    def step(self) -> None:
        """Takes a learner step; an accelerator may still compute it afterwards."""
        self._step(1)

    def run(self, num_steps: int | None = None) -> None:
        """Takes a turn of `num_steps` steps, or steps for ever.

        With a thread, which takes finite turns only, it fetches the batches, waits for
        the turn under way, and returns as soon as the thread computes the new turn.

        Raises:
            StopIteration: there will be no further batch.
        """
        if self._thread is not None:
            assert num_steps is not None, "a learner with a thread takes finite turns"
            if num_steps:
                self._start_turn(self._thread, num_steps)
            return
        metrics, left = self.metrics, num_steps
        while left is None or left > 0:
            many = left is None or left >= self._updates_per_call
            taken = self._step(self._updates_per_call if many else 1)
            left = None if left is None else left - taken
        if not self._several:
            return
        done = int(self._state.steps)
        if done < self.learner_steps:  # by the same number in all processes
            self.learner_steps, self.metrics = done, metrics
            raise StopIteration

    def _step(self, most: int) -> int:
        """Takes `most` learner steps, or fewer if batches end; returns how many."""
        asked = time.monotonic()
        batches = self._fetch(most)
        if self._clock is not None:
            self._clock.fetched(asked, self._state.steps)
        self._compute(batches)
        self.learner_steps += len(batches)
        return len(batches)

    def _start_turn(self, thread: Executor, steps: int) -> None:
        batches = self._fetch(steps)
        asked = time.monotonic()
        self._wait()
        if self._clock is not None:
            self._clock.fetched(asked, self._state.steps)
        self._at_hand = AtHand(devices.local(self._state.params), self.metrics)
        self._turn = thread.submit(self._compute, batches)
        self.learner_steps += len(batches)

    def _wait(self) -> None:
        """Waits until the turn under way is computed, and raises its error."""
        if self._turn is not None:
            self._turn.result()
            self._turn = None

    def _fetch(self, most: int) -> list[Any]:
        """The next batches: `most` of them, or fewer but at least one if they end.

        Raises:
            StopIteration: there is none.
        """
        if self._several:
            return [self._next_share()]
        fetched: list[Any] = []
        try:
            while len(fetched) < most:
                fetched.append(self._batches.next())
        except StopIteration:
            if not fetched:
                raise
        return fetched

    def _compute(self, batches: list[Any]) -> None:
        """Updates with all batches: K in a call as long as there are K, then one."""
        start = 0
        while start < len(batches):
            many = len(batches) - start >= self._updates_per_call
            size = self._updates_per_call if many else 1
            self._state, self.metrics = self._update(
                self._state, tuple(batches[start : start + size]), self._batches.shared
            )
            start += size
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
        """The whole training state; the next step reuses its memory.

        Raises:
            NotFinite: the newest metrics, and so the parameters, are not finite.
        """
        self._wait()
        metrics = {name: float(value) for name, value in self.metrics.items()}
        finite.check_metrics(metrics, self.learner_steps)
        return devices.local(self._state)

    def restore(self, state: TrainingState) -> None:
        """Continues from a copy of a saved state."""
        self._wait()
        self._state = devices.replicate(state, copy=True)
        self.learner_steps = int(state.steps)
        self.catch_up()

    def catch_up(self) -> None:
        """Puts the newest parameters at hand, without metrics, as after a restore."""
        self._wait()
        self.metrics = {}
        if self._thread is not None:  # else it would keep these parameters alive
            self._at_hand = AtHand(devices.local(self._state.params), self.metrics)

    def take_over(self, networks: Mapping[str, NetworkParams]) -> None:
        """Replaces the parameters of those of its networks that have these names.

        Targets that are copies of these networks become copies of the new ones.
        """
        self._wait()
        before = devices.local(self._state)
        params, targets = dict(self._state.params), dict(self._state.target_params)
        for name in networks.keys() & params.keys():
            for target, value in before.target_params.items():
                if _equal(value, before.params[name]):
                    targets[target] = devices.replicate(networks[name], copy=True)
            params[name] = devices.replicate(networks[name], copy=True)
        self._state = self._state._replace(params=params, target_params=targets)
        self.catch_up()


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
