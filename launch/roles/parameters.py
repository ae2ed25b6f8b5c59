"""Parameters of the learner, as seen from another node."""

import time
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import launchpad as lp

from agents.parts.contract import Agent, Params, Spec
from launch.engines.calls import shut_down
from launch.errors import Stopped

_FETCH_SHARE = 0.05  # of the time at most, so that the learner is not kept busy
_LEAST_SECONDS = 0.2  # between two fetches of parameters
_MOST_SECONDS = 5.0  # also after one that a compilation or a checkpoint held up


def network_names(agent: Agent, spec: Spec) -> list[str]:
    """Names of the networks that the policy reads; runs nothing on a device."""
    names = set[str]()

    class Seen(dict):
        def __getitem__(self, name: str) -> Any:
            names.add(name)
            return super().__getitem__(name)

    def trace(key: jax.Array, observation: Any) -> jax.Array:
        params = Seen(agent.init(key).params)
        return agent.act(params, key, observation, jnp.int32(0), jnp.bool_(False))

    one = jax.ShapeDtypeStruct((1, *spec.observation.shape), spec.observation.dtype)
    jax.eval_shape(trace, jax.random.key(0), one)
    return sorted(names)


class Variables:
    """The learner's parameters, fetched in the background while actors act."""

    def __init__(self, source: Any, names: Sequence[str]):
        """Fetches for the first time, and waits for it.

        Args:
            source: Courier client of the learner.
            names: networks to fetch.

        Raises:
            Stopped: the program ended before the learner answered.
        """
        self._source = source
        self._names = list(names)
        self._pending: Any = None
        self._due = 0.0
        self._params = self.fetch()

    def fetch(self) -> Params:
        """The newest parameters; waits for them."""
        self._ask()
        while not self._pending.done():
            if lp.wait_for_stop(0.01):
                self.close()
                raise Stopped
        return self._take()

    def close(self) -> None:
        """Gives up what is being fetched, and fetches no more."""
        if self._pending is not None:
            self._pending.cancel()
        shut_down(self._source)

    def __call__(self) -> Params:
        """The newest parameters at hand; asks for newer ones when it is time."""
        if self._pending is None:
            if time.monotonic() >= self._due:
                self._ask()
        elif self._pending.done():
            self._params = self._take()
        return self._params

    def _ask(self) -> None:
        asked = time.monotonic()
        self._pending = self._source.futures.get_variables(self._names)
        # When it came, not when an actor notices: that may have waited for the replay.
        self._pending.add_done_callback(lambda _: self._plan(time.monotonic() - asked))

    def _plan(self, took: float) -> None:
        wait = min(max(_LEAST_SECONDS, took / _FETCH_SHARE), _MOST_SECONDS)
        self._due = time.monotonic() + wait

    def _take(self) -> Params:
        values = self._pending.result()
        self._pending = None
        # On the device once, not at every call of the policy.
        return jax.device_put(dict(zip(self._names, values, strict=True)))
