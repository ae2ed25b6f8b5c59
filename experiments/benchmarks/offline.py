"""Benchmarks of learning from a dataset: learners against their updates alone.

For an agent that looks up tables, the limit is update and lookup in turns: a step takes
1 / bare + 1 / lookup seconds. Both are measured alone, the lookup with different rows
at each step, as in a learner.
"""

import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from agents.parts.contract import Transition
from agents.ploff import neighbours
from experiments.benchmarks.measure import (
    Measurement,
    Rates,
    Timed,
    Turns,
    compared,
    timed_turns,
)
from experiments.catalogue.experiments import EXPERIMENTS
from launch import build
from launch.datasets.normalization import Prepared
from launch.datasets.sampler import DatasetBatches
from launch.experiment import Experiment
from launch.roles.batches import Given
from launch.roles.learner import Learner

_AGENTS = ("bc", "td3_bc", "anti_exploration", "ploff")
_SIZE = 1_000_000  # stored pairs
_LOOKUP_SHARE = 0.5  # of a step at most


def offline(
    seconds: float, names: tuple[str, ...] = _AGENTS, size: int = _SIZE
) -> list[Measurement]:
    """Measures learner steps per second from a dataset in memory, with their limit.

    The dataset is noise with Hopper's shapes. The limit is the rate of updates alone;
    for PLOFF, the rate of updates and lookups in turns. A separate figure is the
    lookup's share of a step.

    Args:
        seconds: time to measure each figure.
        names: names of agents.
        size: number of transitions in the dataset.
    """
    measured = []
    for name in names:
        experiment = EXPERIMENTS[f"{name}/hopper-medium"]
        measured += _learner(name, experiment, seconds, size)
    return measured


def _learner(
    name: str, experiment: Experiment, seconds: float, size: int
) -> list[Measurement]:
    agent = build.make_agent(experiment, build.spec_of(experiment))
    dataset, tables = Prepared(_noise(experiment, size), {}, {}), None
    if agent.tables is not None:
        tables = _tables(experiment, size)
        given = agent.tables._replace(build=lambda *arguments: tables)
        agent = agent._replace(tables=given)
    batches = DatasetBatches(dataset, agent, seed=0)
    batches.prepare({}, tick=lambda: None)
    first = batches.read(batches.next(), batches.shared)
    bare = Learner(agent, 0, Given(lambda: first))
    timed = {"bare": _steps(bare), "fed": _steps(Learner(agent, 0, batches))}
    if agent.tables is not None:
        timed["lookup"] = _lookup(batches, jax.jit(agent.tables.read), tables)
    return _compared(name, timed_turns(timed, seconds))


def _compared(name: str, turns: Turns) -> list[Measurement]:
    """Makes an agent's figures from the rates of its timed operations."""
    title = f"{name} learner, offline"
    if "lookup" not in turns.rates[0]:
        return [compared(title, turns, "fed", "bare", "steps/s", 0.95)]

    def ideal(rates: Rates) -> float:
        return 1 / (1 / rates["bare"] + 1 / rates["lookup"])

    def lookup(rates: Rates) -> float:
        return ideal(rates) / rates["lookup"]

    part = f"{name} lookup, share of a step"
    return [
        compared(title, turns, "fed", ideal, "steps/s", 0.95),
        compared(part, turns, lookup, lambda _: _LOOKUP_SHARE, "", most=1.0),
    ]


def _steps(learner: Learner) -> Timed:
    return Timed(learner.step, lambda: jax.block_until_ready(learner.params))


def _lookup(batches: DatasetBatches, read: Callable[..., Any], tables: Any) -> Timed:
    """Times the lookup of successive steps' rows; waits for each lookup."""
    steps = itertools.count()
    return Timed(lambda: jax.block_until_ready(read(tables, batches.rows(next(steps)))))


def _noise(experiment: Experiment, size: int) -> Transition:
    spec, random = build.spec_of(experiment), np.random.default_rng(0)
    observation, action = (
        random.uniform(-1, 1, (size, *each.shape)).astype(np.float32)
        for each in (spec.observation, spec.action)
    )
    reward = random.uniform(-1, 1, size).astype(np.float32)
    ones = np.ones(size, np.float32)
    return Transition(observation, action, reward, ones, observation[::-1].copy())


def _tables(experiment: Experiment, size: int) -> neighbours.Tables:
    """Random tables of the right shapes; neighbours lie anywhere, as in real tables."""
    random, config = np.random.default_rng(0), experiment.agent
    embeddings = random.normal(size=(size, config.embedding_size)).astype(np.float32)
    drawn = random.integers(size, size=(size, config.neighbours + 1), dtype=np.int32)
    return neighbours.Tables(
        embeddings=jnp.asarray(embeddings),
        neighbours=jnp.asarray(drawn[:, 1:]),
        next_state=jnp.asarray(drawn[:, 0]),
        unit=jnp.ones(()),
    )
