"""Small agents and batches to test them on, at odd and mutually different sizes."""

import dataclasses
import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from agents import REGISTRY
from agents.anti_exploration import autoencoder
from agents.parts import networks, sgd
from agents.parts.contract import Agent, Spec, TrainingState, Transition, discrete_spec

BATCH, ENVIRONMENTS, ACTIONS = 11, 3, 5
IMAGES = discrete_spec((2, 44, 36), np.uint8, ACTIONS)
VECTORS = discrete_spec((7,), np.float32, ACTIONS)
BOX = Spec(
    observation=jax.ShapeDtypeStruct((7,), np.dtype(np.float32)),
    num_actions=0,
    action=jax.ShapeDtypeStruct((3,), np.dtype(np.float32)),
)
FAST = sgd.Optimizer(learning_rate=1e-3)
# Smaller than the papers', so that tests are quick.
FEW = {
    "online_fractions": 6,
    "target_fractions": 8,
    "acting_fractions": 9,
    "policy_fractions": 9,
    "cosines": 4,
    "value_network": networks.Config("mlp", (13,), layer_norm=True),
    "autoencoder": autoencoder.Config(hidden=(17,)),
    "embedding_size": 4,
    "neighbours": 6,
}


def specs(name):
    """Specs to test a registered agent on; the first has vectors as observations."""
    return [BOX] if REGISTRY[name].actions == "continuous" else [VECTORS, IMAGES]


def make(name, spec=None, **settings):
    """A registered agent with a small network; `settings` are fields of its config."""
    spec = spec or specs(name)[0]
    return REGISTRY[name].agent(small(name, spec, **settings), spec)


class Compiled(NamedTuple):
    """A small agent that learns fast, compiled once for all tests of a process.

    Attributes:
        agent: the agent.
        state: its training state for the seed 5.
        update: the compiled update.
        act: the compiled policy.
        traces: an entry for each time that the update was compiled.
    """

    agent: Agent
    state: TrainingState
    update: Callable
    act: Callable
    traces: list


@functools.cache
def compiled(name, spec):
    """The registered agent, with a small network and a learning rate of 0.001."""
    return compile_agent(make(name, spec, optimizer=FAST))


def compile_agent(agent):
    """Compiles an agent's functions; counts how often its update is compiled."""
    traces = []

    def update(state, batch):
        traces.append(1)
        return agent.update(state, batch)

    state = agent.init(jax.random.key(5))
    return Compiled(agent, state, jax.jit(update), jax.jit(agent.act), traces)


def small(name, spec, **settings):
    """The configuration of a registered agent, with small networks."""
    config = REGISTRY[name].default()
    known = {field.name for field in dataclasses.fields(config)}
    few = {name: value for name, value in FEW.items() if name in known}
    network = networks.Config("dqn2013" if spec is IMAGES else "mlp", (13,))
    return dataclasses.replace(config, **{"network": network, **few, **settings})


def observations(spec, number, seed=0):
    rng = np.random.default_rng(seed)
    shape, dtype = spec.observation.shape, spec.observation.dtype
    if dtype == np.uint8:
        return rng.integers(0, 256, (number, *shape), np.uint8)
    return rng.normal(size=(number, *shape)).astype(dtype)


def actions(spec, rng):
    """A batch of random actions, which includes both ends of the box."""
    if spec.num_actions:
        return rng.integers(0, ACTIONS, BATCH).astype(np.int32)
    drawn = rng.uniform(-1, 1, (BATCH, *spec.action.shape)).astype(np.float32)
    drawn[0], drawn[1] = 1.0, -1.0
    return drawn


def batch_of(spec=VECTORS, seed=0):
    rng = np.random.default_rng(seed)
    return Transition(
        observation=observations(spec, BATCH, seed),
        action=actions(spec, rng),
        reward=rng.normal(size=BATCH).astype(np.float32),
        discount=rng.integers(0, 2, BATCH).astype(np.float32),
        next_observation=observations(spec, BATCH, seed + 1),
    )


def batch_for(agent, spec, seed=0):
    """`batch_of` with the agent's table entries, where the batch is the dataset."""
    batch = batch_of(spec, seed)
    if agent.tables is None:
        return batch
    tables = agent.tables.build(agent.init(jax.random.key(seed)).params, batch)
    return batch._replace(extras=agent.tables.read(tables, np.arange(BATCH)))


def leaves_equal(left, right):
    pairs = zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def with_head(params, change):
    """Parameters of a network whose last layer's leaves are changed."""
    head = jax.tree.map(change, params["params"]["Dense_0"])
    return {"params": {**params["params"], "Dense_0": head}}
