"""Benchmarks of a language agent: completions and updates, next to the same alone."""

import contextlib
import dataclasses
import functools
import math
from collections.abc import Callable

import dm_env
import jax
import numpy as np

import environments
from agents.parts.contract import Agent, Spec, Transition
from agents.parts.language import assembly, sampling
from experiments.benchmarks.measure import (
    Measurement,
    Rates,
    Timed,
    compared,
    rates,
    timed_turns,
)
from launch.build import make_extras_spec, make_stages, spec_of
from launch.experiment import Experiment
from launch.replay import Adder, reverb_queue, server, shards
from launch.replay.in_process_queue import InProcessQueue
from launch.roles.actor import Actor, Loop
from launch.roles.batches import Given
from launch.roles.learner import Learner


class Bench:
    """The agent of a language experiment, as its runs build it, and its parts."""

    def __init__(self, experiment: Experiment):
        """Builds the agent.

        Args:
            experiment: with a language agent that has one stage.
        """
        self.experiment = experiment
        self.spec: Spec = spec_of(experiment)
        self.agent: Agent = make_stages(experiment, self.spec)[-1].agent
        self.extras = make_extras_spec(self.agent, self.spec)
        self.lanes = self.agent.storage.batch_size
        self.params = jax.jit(self.agent.init)(jax.random.key(0)).params

    def queue(self) -> InProcessQueue:
        """Makes an empty queue, as in local runs."""
        return InProcessQueue(
            self.agent.storage,
            self.spec,
            num_environments=self.lanes,
            extras=self.extras,
        )

    def reverb_adder(self, served: server.Served) -> Adder:
        """Makes a writer to a queue of Reverb, as in programs."""
        return reverb_queue.QueueAdder(
            served.client,
            self.agent.storage,
            self.spec,
            num_environments=self.lanes,
            table=shards.queue_name(0),
            chunk=self.lanes,
            stop=lambda: False,
            extras=self.extras,
        )

    def loop(self, adder: Adder) -> Loop:
        """Makes a loop that always generates, also if its agent learns references."""
        environment = environments.make(self.experiment.environment, self.lanes, seed=1)
        actor = Actor(
            self.agent.act,
            lambda: self.params,
            seed=0,
            adder=adder,
            version=lambda: 0,
            evaluation=True,
        )
        return Loop(environment, actor)

    def bare_generation(self) -> Callable[[], object]:
        """Makes a function that completes one batch of prompts, and nothing else."""
        network = assembly.for_task(self.experiment.agent.network, self.spec)
        [columns] = self.spec.action.shape
        environment = environments.make(self.experiment.environment, self.lanes, seed=1)
        prompt, _ = assembly.split(environment.reset().observation, self.spec)

        @jax.jit
        def generate(params: object, key: jax.Array, prompt: jax.Array) -> jax.Array:
            return sampling.generate(params, network, key, prompt, columns, 0.0).tokens

        key, policy = jax.random.key(0), self.params["policy"]
        return lambda: np.asarray(generate(policy, key, prompt))


class Fed:
    """A learner, compiled once, that takes batches from one source or another."""

    def __init__(self, agent: Agent):
        """Compiles nothing yet."""
        self._learner = Learner(agent, 0, Given(lambda: self._source()))
        self._source: Callable[[], Transition]

    def by(self, source: Callable[[], Transition]) -> Timed:
        """Its step with batches of this source, as the operation to time."""

        def step() -> None:
            self._source = source
            self._learner.step()

        return Timed(step, lambda: jax.block_until_ready(self._learner.params))


def language(experiment: Experiment, seconds: float) -> list[Measurement]:
    """Measures tokens and learner steps per second, with each kind of queue.

    Args:
        experiment: with a language agent that has one stage.
        seconds: time to measure each figure.
    """
    bench = Bench(experiment)
    return [*generation(bench, seconds), *updates(bench, seconds)]


def generation(bench: Bench, seconds: float) -> list[Measurement]:
    """Measures tokens per second of actors, next to generation with a cache alone.

    An actor completes prompts of the task, has them scored, and stores them.
    """
    queue = bench.queue()
    local = bench.loop(queue)

    def turn() -> None:
        _generate(local)
        queue.next()

    batches = math.ceil(200 * seconds) + 20
    with _served(bench, capacity=batches * bench.lanes) as served:
        adder = bench.reverb_adder(served)
        distributed = bench.loop(adder)
        turns = timed_turns(
            {
                "bare": Timed(bench.bare_generation()),
                "local": Timed(turn),
                "reverb": Timed(functools.partial(_generate, distributed)),
            },
            seconds,
        )
        adder.close()
    tokens = bench.lanes * bench.spec.action.shape[0]

    def by(kind: str) -> Callable[[Rates], float]:
        return lambda rates: tokens * rates[kind]

    return [
        compared(
            f"tokens generated, {name}",
            turns,
            by(kind),
            by("bare"),
            "tokens/s",
            least=0.8,
        )
        for kind, name in (("local", "in-process"), ("reverb", "into Reverb"))
    ]


def updates(bench: Bench, seconds: float) -> list[Measurement]:
    """Measures learner steps per second from each queue, next to the update alone."""
    queue, learner = bench.queue(), Fed(bench.agent)
    _generate(bench.loop(queue))
    batch = queue.next()
    one_batch = jax.device_put(batch)

    def stored_and_taken() -> Transition:
        _store(queue, batch)
        return queue.next()

    bare, local = learner.by(lambda: one_batch), learner.by(stored_and_taken)
    fastest = rates({"bare": bare}, min(seconds, 1.0))["bare"]
    # Enough for slices that end late, and for a machine that becomes faster.
    batches = math.ceil(2 * fastest * (seconds + 1)) + 20
    with _served(bench, capacity=batches * bench.lanes) as served:
        reader = _filled(bench, served, batch, batches)
        reverb = learner.by(reader.next)
        what = {"bare": bare, "local": local, "reverb": reverb}
        turns = timed_turns(what, seconds)
        reader.close()
    name, unit = "language learner steps, fed", "steps/s"
    return [
        compared(f"{name} in-process", turns, "local", "bare", unit, least=0.9),
        compared(f"{name} by Reverb", turns, "reverb", "bare", unit, least=0.9),
    ]


def _filled(
    bench: Bench, served: server.Served, batch: Transition, batches: int
) -> reverb_queue.QueueBatches:
    """Stores the batch many times in a queue of Reverb; returns its reader."""
    adder = bench.reverb_adder(served)
    for _ in range(batches):
        _store(adder, batch)
    adder.close()
    reader = reverb_queue.QueueBatches(
        [served.address],
        bench.agent.storage,
        bench.spec,
        chunk=bench.lanes,
        stop=lambda: False,
        acting=lambda actor: False,
        extras=bench.extras,
    )
    reader.prepare(bench.params, lambda: None)
    return reader


def _generate(loop: Loop) -> None:
    """Completes one prompt in every lane: an episode is a step and a new prompt."""
    loop.step()
    loop.step()


def _store(adder: Adder, batch: Transition) -> None:
    """Adds a batch as one-step episodes, each in its lane."""
    lanes = len(batch.reward)

    def timestep(kind: dm_env.StepType) -> dm_env.TimeStep:
        kinds = np.full(lanes, int(kind), np.int32)
        return dm_env.TimeStep(kinds, batch.reward, batch.discount, batch.observation)

    adder.observe_first(timestep(dm_env.StepType.FIRST))
    adder.observe(batch.action, timestep(dm_env.StepType.LAST), batch.extras)


def _served(
    bench: Bench, capacity: int
) -> contextlib.AbstractContextManager[server.Served]:
    """A server with one queue that is never full."""
    storage = dataclasses.replace(bench.agent.storage, capacity=capacity)
    return server.served(storage, chunk=bench.lanes)
