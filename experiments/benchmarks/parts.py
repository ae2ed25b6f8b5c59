"""Benchmarks of single parts, run in this process: learner, actor, replay stores."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import dm_env
import jax
import numpy as np
import psutil

import environments
from agents.parts.contract import Agent, Spec, Storage
from environments import VectorEnvironment
from experiments import flags
from experiments.benchmarks.measure import (
    Measurement,
    Rates,
    Timed,
    Turns,
    compared,
    cost,
    timed_turns,
)
from launch.build import make_agent
from launch.experiment import Experiment, Place
from launch.preflight import check
from launch.replay import Adder, server
from launch.replay.in_process import InProcess
from launch.roles.actor import Actor, Loop
from launch.roles.batches import Given
from launch.roles.learner import Learner

LANES = 8  # environments that fill a store
_UNLIMITED = 1e6  # samples per insert, so that no limiter slows a measurement down
BYTES = 8_000  # allowed per transition


class Bench:
    """An experiment's agent, stores and environments, as its runs would build them."""

    def __init__(self, experiment: Experiment, size: int):
        """Builds the agent.

        Args:
            experiment: the experiment with the agent and environment to measure.
            size: number of transitions that fill its stores.
        """
        settings = {
            "agent.storage.capacity": 2 * size,
            "agent.storage.min_size": size,
            "agent.storage.samples_per_insert": _UNLIMITED,
        }
        self.experiment = flags.replace(experiment, settings)
        self.size = size
        ready = check(self.experiment, here=False)
        self.spec: Spec = ready.spec
        self.frame_stack = ready.frame_stack
        self.agent: Agent = make_agent(self.experiment, self.spec)

    @property
    def storage(self) -> Storage:
        """The storage settings of the agent."""
        return self.agent.storage

    def environment(self, lanes: int) -> VectorEnvironment:
        """Makes `lanes` environments with a fixed seed."""
        return environments.make(self.experiment.environment, lanes, seed=1)

    def in_process(
        self, lanes: int, storage: Storage | None = None, place: Place = "host"
    ) -> InProcess:
        """Makes an empty store, as in local runs, with its frames in that place."""
        return InProcess(
            storage or self.storage,
            self.spec,
            discount=self.agent.discount,
            frame_stack=self.frame_stack,
            num_environments=lanes,
            seed=0,
            place=place,
        )

    def reverb_adder(self, served: server.Served) -> Adder:
        """Makes a writer to the Reverb store, as in distributed runs."""
        from launch.replay import reverb_store

        return reverb_store.ReverbAdder(
            served.client,
            self.storage,
            self.spec,
            discount=self.agent.discount,
            frame_stack=self.frame_stack,
            num_environments=LANES,
            stop=lambda: False,
        )

    def reverb_reader(self, served: server.Served) -> Any:
        """Makes a reader of batches from the Reverb store, as in distributed runs."""
        from launch.replay import reverb_reader

        return reverb_reader.ReverbReader(
            served.address,
            self.storage,
            self.spec,
            frame_stack=self.frame_stack,
            stop=lambda: False,
        )

    def filling(self, adder: Adder) -> "Filling":
        """Makes a random player that writes its transitions to a store."""
        return Filling(self.environment(LANES), adder)

    def learner(self, next_batch: Any) -> tuple[Learner, Timed]:
        """Makes a learner, and its step as an operation to time."""
        learner = Learner(self.agent, 0, Given(next_batch))
        wait = lambda: jax.block_until_ready(learner.params)  # noqa: E731
        return learner, Timed(learner.step, wait)


class Filling:
    """Plays random actions and writes the transitions to a store."""

    def __init__(self, environment: VectorEnvironment, adder: Adder):
        self._environment, self._adder = environment, adder
        self._draw = drawing(environment)
        self._adder.observe_first(environment.reset())

    def add(self, transitions: int) -> None:
        """Plays until at least `transitions` actor steps are added."""
        while transitions > 0:
            actions = self._draw()
            timestep = self._environment.step(actions)
            self._adder.observe(actions, timestep)
            transitions -= int(np.count_nonzero(timestep.step_type))  # FIRST is 0

    def close(self) -> None:
        """Writes the remaining transitions; closes the writer and the environments."""
        self._adder.close()
        self._environment.close()


def drawing(environment: VectorEnvironment) -> Callable[[], np.ndarray]:
    """Returns a function that draws uniform actions, one for each environment."""
    random, action = np.random.default_rng(0), environment.action_spec()
    lanes = environment.num_environments
    if isinstance(action, dm_env.specs.DiscreteArray):
        return lambda: random.integers(action.num_values, size=lanes)
    shape = (lanes, *action.shape)
    return lambda: random.uniform(-1, 1, shape).astype(action.dtype)


def bare_update(experiment: Experiment) -> Timed:
    """Makes an update of one batch, which is on the device, as an operation to time."""
    bench = Bench(experiment, size=200)
    store = bench.in_process(LANES)
    fill(bench, store, bench.size)
    batch = jax.device_put(store.next())
    return bench.learner(lambda: batch)[1]


def learner(
    experiment: Experiment, seconds: float, size: int = 2_000
) -> list[Measurement]:
    """Measures learner steps per second from each store, against the update alone.

    Args:
        experiment: the experiment with the agent that learns.
        seconds: time to measure each figure.
        size: number of transitions in the stores.
    """
    bench = Bench(experiment, size)
    store = bench.in_process(LANES)
    fill(bench, store, size)
    with server.served(bench.storage) as served:
        turns = _fed(bench, store, served, seconds)
    name, unit = "learner steps, fed", "steps/s"
    return [
        compared(f"{name} in-process", turns, "local", "bare", unit, least=0.95),
        compared(f"{name} by Reverb", turns, "reverb", "bare", unit, least=0.9),
    ]


def _fed(
    bench: Bench, store: InProcess, served: server.Served, seconds: float
) -> Turns:
    """Steps per second of three learners; their reader is freed before the server."""
    fill(bench, bench.reverb_adder(served), bench.size)
    batch, reader = jax.device_put(store.next()), bench.reverb_reader(served)
    _, bare = bench.learner(lambda: batch)
    _, local = bench.learner(store.next)
    _, distributed = bench.learner(lambda: next(reader))
    what = {"bare": bare, "local": local, "reverb": distributed}
    return timed_turns(what, seconds)


def actor(
    experiment: Experiment, seconds: float, sizes: Sequence[int] = (1, 8, 32)
) -> list[Measurement]:
    """Measures actor steps per second with N environments, against two limits.

    The first limit is environment and policy, each measured alone; the second is a loop
    of only environment and policy in turns. Emulator and XLA have separate threads, and
    alternating between them costs more than either alone; the rest of the difference
    is the cost of our code.

    Args:
        experiment: the experiment with the agent that acts.
        seconds: time to measure each figure.
        sizes: the values of N.
    """
    bench = Bench(experiment, size=2_000)
    params = jax.jit(bench.agent.init)(jax.random.key(0)).params
    pairs = (_acting(bench, params, lanes, seconds) for lanes in sizes)
    return [measurement for pair in pairs for measurement in pair]


def _acting(
    bench: Bench, params: Any, lanes: int, seconds: float
) -> tuple[Measurement, Measurement]:
    alone, acted = bench.environment(lanes), bench.environment(lanes)
    policy = Actor(bench.agent.act, lambda: params, seed=0)
    whole = Actor(
        bench.agent.act,
        lambda: params,
        seed=0,
        adder=bench.in_process(lanes),
        reward_clip=acted.reward_clip,
    )
    observation = alone.reset().observation
    actions = drawing(alone)()
    loop = Loop(acted, whole)

    def turn() -> None:
        policy.select_action(observation)
        alone.step(actions)

    turns = timed_turns(
        {
            "environment": Timed(lambda: alone.step(actions)),
            "policy": Timed(lambda: policy.select_action(observation)),
            "turns": Timed(turn),
            "whole": Timed(loop.step),
        },
        seconds,
    )
    alone.close()
    acted.close()
    return _compared(lanes, turns)


def _compared(lanes: int, turns: Turns) -> tuple[Measurement, Measurement]:
    """Makes an actor's figures from the rates of its parts and of the whole."""
    least = 0.8 if lanes == 8 else None
    name = f"actor steps, {lanes} environment{'s' * (lanes > 1)}"

    def steps(rates: Rates) -> float:
        return lanes * rates["whole"]

    def ideal(rates: Rates) -> float:
        return lanes / (1 / rates["environment"] + 1 / rates["policy"])

    def only_parts(rates: Rates) -> float:
        return lanes * rates["turns"]

    return (
        compared(name, turns, steps, ideal, "steps/s", least),
        compared(f"{name}, vs parts in turns", turns, steps, only_parts, "steps/s"),
    )


def storage(experiment: Experiment, size: int = 4_000) -> list[Measurement]:
    """Measures the bytes of memory per transition in each store.

    Args:
        experiment: the experiment with the transitions to store.
        size: number of transitions.
    """
    bench = Bench(experiment, size)
    full = dataclasses.replace(bench.storage, capacity=size)
    store = bench.in_process(LANES, full)
    fill(bench, store, 2 * size)
    with server.served(bench.storage) as served:
        filling = bench.filling(bench.reverb_adder(served))
        process = psutil.Process(served.pid)
        filling.add(size // 2)  # also allocates the server's fixed memory
        before = process.memory_info().rss
        filling.add(size // 2)
        grown = process.memory_info().rss - before
        filling.close()
    name = "memory of a transition,"
    local, remote = store.nbytes / store.size, max(grown, 1) / (size // 2)
    return [
        cost(f"{name} in-process", local, BYTES, "bytes"),
        cost(f"{name} Reverb", remote, BYTES, "bytes"),
    ]


def fill(bench: Bench, adder: Adder, transitions: int) -> None:
    """Fills a store with transitions of random play, and closes the writer."""
    filling = bench.filling(adder)
    filling.add(transitions)
    filling.close()
