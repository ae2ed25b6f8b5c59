"""Small environments' specs and batches to try an agent on, and compiled agents.

Sizes are odd and mutually different, so that swapped axes are noticed.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from agents.parts import networks
from agents.parts.contract import (
    Agent,
    Metrics,
    Spec,
    TrainingState,
    Transition,
    discrete_spec,
)

BATCH, ENVIRONMENTS, ACTIONS = 11, 3, 5
IMAGES = discrete_spec((2, 44, 36), np.uint8, ACTIONS)
VECTORS = discrete_spec((7,), np.float32, ACTIONS)
BOX = Spec(
    observation=jax.ShapeDtypeStruct((7,), np.dtype(np.float32)),
    num_actions=0,
    action=jax.ShapeDtypeStruct((3,), np.dtype(np.float32)),
)


class Compiled(NamedTuple):
    """An agent whose functions are compiled once, for all checks.

    Attributes:
        agent: the agent.
        state: its training state for the seed 5.
        update: the compiled update.
        act: the compiled policy.
        traces: an entry for each time that the update was compiled.
    """

    agent: Agent
    state: TrainingState
    update: Callable[[Any, Any], tuple[TrainingState, Metrics]]
    act: Callable[..., tuple[Any, Any]]
    traces: list[int]


def compile_agent(agent: Agent) -> Compiled:
    """Compiles an agent's functions; counts how often its update is compiled."""
    traces: list[int] = []

    def update(
        state: TrainingState, batch: Transition
    ) -> tuple[TrainingState, Metrics]:
        traces.append(1)
        return agent.update(state, batch)

    state = agent.init(jax.random.key(5))
    return Compiled(agent, state, jax.jit(update), jax.jit(agent.act), traces)


def small(config: Any, spec: Spec) -> Any:
    """A configuration whose networks are small and fit the observations.

    Args:
        config: of any agent; fields that are `networks.Config` are replaced.
        spec: `IMAGES`, or a spec whose observations are vectors.
    """
    torso: Literal["dqn2013", "mlp"] = "dqn2013" if spec is IMAGES else "mlp"
    found = {
        field.name: dataclasses.replace(value, torso=torso, hidden=(13,))
        for field in dataclasses.fields(config)
        if isinstance(value := getattr(config, field.name), networks.Config)
    }
    return dataclasses.replace(config, **found)


def observations(spec: Spec, number: int, seed: int = 0) -> np.ndarray:
    """Random observations `[number, ...]`."""
    rng = np.random.default_rng(seed)
    shape, dtype = spec.observation.shape, spec.observation.dtype
    if dtype == np.uint8:
        return rng.integers(0, 256, (number, *shape), np.uint8)
    return rng.normal(size=(number, *shape)).astype(dtype)


def actions(spec: Spec, rng: np.random.Generator) -> np.ndarray:
    """A batch of random actions, which includes both ends of the box."""
    if spec.num_actions:
        return rng.integers(0, ACTIONS, BATCH).astype(np.int32)
    drawn = rng.uniform(-1, 1, (BATCH, *spec.action.shape)).astype(np.float32)
    drawn[0], drawn[1] = 1.0, -1.0
    return drawn


def batch_of(spec: Spec = VECTORS, seed: int = 0) -> Transition:
    """A batch of random transitions; about half of them end an episode."""
    rng = np.random.default_rng(seed)
    return Transition(
        observation=observations(spec, BATCH, seed),
        action=actions(spec, rng),
        reward=rng.normal(size=BATCH).astype(np.float32),
        discount=rng.integers(0, 2, BATCH).astype(np.float32),
        next_observation=observations(spec, BATCH, seed + 1),
    )


def batch_for(agent: Agent, spec: Spec, seed: int = 0) -> Transition:
    """`batch_of` with the agent's table entries, where the batch is the dataset."""
    batch = batch_of(spec, seed)
    if agent.tables is None:
        return batch
    params = agent.init(jax.random.key(seed)).params
    tables = agent.tables.build(params, batch, lambda: None)
    return batch._replace(extras=agent.tables.read(tables, jnp.arange(BATCH)))


def leaves_equal(left: Any, right: Any) -> bool:
    """Whether two pytrees of the same structure have equal leaves."""
    pairs = zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)
