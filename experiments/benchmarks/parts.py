"""Figures of single parts, each in this process: learner, actor, stores."""

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
from experiments.benchmarks.measure import Measurement, Timed, cost, rates, share
from launch.build import make_agent
from launch.experiment import Experiment
from launch.preflight import check
from launch.replay import Adder, server
from launch.replay.in_process import InProcess
from launch.roles.actor import Actor, Loop
from launch.roles.batches import Given
from launch.roles.learner import Learner

LANES = 8  # that fill a store
_UNLIMITED = 1e6  # samples per insert, so that no limiter slows a measurement down
BYTES = 8_000  # of a transition, at most


class Bench:
    """An experiment's agent, stores and environments, as its runs would build them."""

    def __init__(self, experiment: Experiment, size: int):
        """Builds the agent.

        Args:
            experiment: whose agent and environment are measured.
            size: transitions that its stores are filled with.
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
        """What the stores are made for."""
        return self.agent.storage

    def environment(self, lanes: int) -> VectorEnvironment:
        """So many of them, of a fixed seed."""
        return environments.make(self.experiment.environment, lanes, seed=1)

    def in_process(self, lanes: int, storage: Storage | None = None) -> InProcess:
        """The store of local runs, empty."""
        return InProcess(
            storage or self.storage,
            self.spec,
            discount=self.agent.discount,
            frame_stack=self.frame_stack,
            num_environments=lanes,
            seed=0,
        )

    def reverb_adder(self, served: server.Served) -> Adder:
        """A writer to the store of distributed runs."""
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
        """Batches from the store of distributed runs."""
        from launch.replay import reverb_store

        return reverb_store.ReverbReader(
            served.address,
            self.storage,
            self.spec,
            frame_stack=self.frame_stack,
            stop=lambda: False,
        )

    def filling(self, adder: Adder) -> "Filling":
        """What random actions do, for a store."""
        return Filling(self.environment(LANES), adder)

    def learner(self, next_batch: Any) -> tuple[Learner, Timed]:
        """A learner, and its step as something to time."""
        learner = Learner(self.agent, 0, Given(next_batch))
        wait = lambda: jax.block_until_ready(learner.params)  # noqa: E731
        return learner, Timed(learner.step, wait)


class Filling:
    """Random play that goes into a store."""

    def __init__(self, environment: VectorEnvironment, adder: Adder):
        self._environment, self._adder = environment, adder
        self._draw = drawing(environment)
        self._adder.observe_first(environment.reset())

    def add(self, transitions: int) -> None:
        """Plays until so many decisions, or a few more, are added."""
        while transitions > 0:
            actions = self._draw()
            timestep = self._environment.step(actions)
            self._adder.observe(actions, timestep)
            transitions -= int(np.count_nonzero(timestep.step_type))  # FIRST is 0

    def close(self) -> None:
        """Hands over the last of it."""
        self._adder.close()
        self._environment.close()


def drawing(environment: VectorEnvironment) -> Callable[[], np.ndarray]:
    """Draws uniform actions, one for each lane."""
    random, action = np.random.default_rng(0), environment.action_spec()
    lanes = environment.num_environments
    if isinstance(action, dm_env.specs.DiscreteArray):
        return lambda: random.integers(action.num_values, size=lanes)
    shape = (lanes, *action.shape)
    return lambda: random.uniform(-1, 1, shape).astype(action.dtype)


def bare_updates(experiment: Experiment, seconds: float) -> float:
    """Updates a second on one batch that lies on the device."""
    bench = Bench(experiment, size=200)
    store = bench.in_process(LANES)
    fill(bench, store, bench.size)
    batch = jax.device_put(store.next())
    _, timed = bench.learner(lambda: batch)
    return rates({"bare": timed}, seconds)["bare"]


def learner(
    experiment: Experiment, seconds: float, size: int = 2_000
) -> list[Measurement]:
    """Learner steps a second from each store, next to the update alone.

    Args:
        experiment: whose agent learns.
        seconds: for each figure.
        size: transitions in the stores.
    """
    bench = Bench(experiment, size)
    store = bench.in_process(LANES)
    fill(bench, store, size)
    with server.served(
        bench.storage, bench.spec, frame_stack=bench.frame_stack
    ) as served:
        rate = _fed(bench, store, served, seconds)
    name, unit = "learner steps, fed", "steps/s"
    return [
        share(f"{name} in-process", rate["local"], rate["bare"], unit, least=0.95),
        share(f"{name} by Reverb", rate["reverb"], rate["bare"], unit, least=0.9),
    ]


def _fed(
    bench: Bench, store: InProcess, served: server.Served, seconds: float
) -> dict[str, float]:
    """Steps a second of three learners; their reader is gone before the server is."""
    fill(bench, bench.reverb_adder(served), bench.size)
    batch, reader = jax.device_put(store.next()), bench.reverb_reader(served)
    _, bare = bench.learner(lambda: batch)
    _, local = bench.learner(store.next)
    _, distributed = bench.learner(lambda: next(reader))
    return rates({"bare": bare, "local": local, "reverb": distributed}, seconds)


def actor(
    experiment: Experiment, seconds: float, sizes: Sequence[int] = (1, 8, 32)
) -> list[Measurement]:
    """Actor steps a second with N environments, next to environment and policy alone.

    Each figure comes twice, the second time next to environment and policy in turns and
    nothing else: emulator and XLA have threads of their own, and to alternate between
    them costs more than either alone. What is left is ours.

    Args:
        experiment: whose agent acts.
        seconds: for each figure.
        sizes: every N.
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

    rate = rates(
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
    ideal = lanes / (1 / rate["environment"] + 1 / rate["policy"])
    least = 0.8 if lanes == 8 else None
    name = f"actor steps, {lanes} environment{'s' * (lanes > 1)}"
    steps, turns = lanes * rate["whole"], lanes * rate["turns"]
    return (
        share(name, steps, ideal, "steps/s", least),
        share(f"{name}, beside turns", steps, turns, "steps/s"),
    )


def storage(experiment: Experiment, size: int = 4_000) -> list[Measurement]:
    """Bytes of memory for a transition in each store.

    Args:
        experiment: whose transitions are stored.
        size: how many.
    """
    bench = Bench(experiment, size)
    full = dataclasses.replace(bench.storage, capacity=size)
    store = bench.in_process(LANES, full)
    fill(bench, store, 2 * size)
    with server.served(
        bench.storage, bench.spec, frame_stack=bench.frame_stack
    ) as served:
        filling = bench.filling(bench.reverb_adder(served))
        process = psutil.Process(served.pid)
        filling.add(size // 2)  # and with it what a server needs anyhow
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
    """Fills a store with random play, and hands over the last of it."""
    filling = bench.filling(adder)
    filling.add(transitions)
    filling.close()
