"""Fetches the parameters of the learner for another role."""

import threading
import time
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from agents.parts.contract import Agent, Params, Spec
from launch.errors import Stopped
from launch.roles.context import Answer, Peer, Stop

_FETCH_SHARE = 0.05  # of the time at most, to spare the learner
_LEAST_SECONDS = 0.2  # between two fetches of parameters
_STOP_SECONDS = 0.02  # between two looks for a stop
_MOST_SECONDS = 5.0  # also after a fetch that a compilation or a checkpoint delayed


def network_names(agent: Agent, spec: Spec, measured: bool = False) -> list[str]:
    """Names of the networks that the policy reads; runs nothing on a device.

    Args:
        agent: with the policy.
        spec: of the environment.
        measured: whether to add those that the agent's `measure` reads.
    """
    names = set[str]()

    class Seen(dict):
        def __getitem__(self, name: str) -> Any:
            names.add(name)
            return super().__getitem__(name)

    def trace(key: jax.Array, observation: Any) -> Any:
        params = Seen(agent.init(key).params)
        if measured and agent.measure is not None:
            agent.measure(params, key, observation)
        return agent.act(params, key, observation, jnp.int32(0), jnp.bool_(False))

    one = jax.ShapeDtypeStruct((1, *spec.observation.shape), spec.observation.dtype)
    jax.eval_shape(trace, jax.random.key(0), one)
    return sorted(names)


class Parameters:
    """The learner's parameters, fetched in the background while actors act.

    Attributes:
        learner_step: of the newest parameters at hand.
    """

    def __init__(self, learner: Peer, names: Sequence[str], stop: Stop):
        """Fetches the parameters for the first time, and waits for them.

        Args:
            learner: the learner role.
            names: networks to fetch.
            stop: ends the waiting.

        Raises:
            Stopped: the program ended before the learner answered.
        """
        self._learner = learner
        self._names = list(names)
        self._stop = stop
        self._pending: Answer | None = None
        self._due = 0.0
        self.learner_step = 0
        self._params = self.fetch()

    def fetch(self) -> Params:
        """Fetches the newest parameters, and waits for them.

        Raises:
            Stopped: the program ended before the learner answered.
        """
        pending = self._ask()
        answered = threading.Event()
        pending.add_done_callback(lambda _: answered.set())
        while not answered.wait(_STOP_SECONDS):
            if self._stop.is_set():
                self.close()
                raise Stopped
        self._params = self._take(pending)
        return self._params

    def close(self) -> None:
        """Cancels a fetch under way, and closes the connection."""
        if self._pending is not None:
            self._pending.cancel()
        self._learner.close()

    def __call__(self) -> Params:
        """The newest parameters fetched; starts the next fetch when it is due."""
        if self._pending is None:
            if time.monotonic() >= self._due:
                self._ask()
        elif self._pending.done():
            self._params = self._take(self._pending)
        return self._params

    def _ask(self) -> Answer:
        asked = time.monotonic()
        pending = self._learner.begin("get_variables", self._names)
        # Measured when the reply arrives: the actor may notice it later, because it was
        # blocked by the rate limiter.
        pending.add_done_callback(lambda _: self._plan(time.monotonic() - asked))
        self._pending = pending
        return pending

    def _plan(self, took: float) -> None:
        wait = min(max(_LEAST_SECONDS, took / _FETCH_SHARE), _MOST_SECONDS)
        self._due = time.monotonic() + wait

    def _take(self, pending: Answer) -> Params:
        self.learner_step, values = pending.result()
        self._pending = None
        # Moved to the device once, not at every call of the policy.
        return jax.device_put(dict(zip(self._names, values, strict=True)))
