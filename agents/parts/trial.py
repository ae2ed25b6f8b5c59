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
from agents.parts.language import architecture, sequences

BATCH, ENVIRONMENTS, ACTIONS = 11, 3, 5
IMAGES = discrete_spec((2, 44, 36), np.uint8, ACTIONS)
VECTORS = discrete_spec((7,), np.float32, ACTIONS)
BOX = Spec(
    observation=jax.ShapeDtypeStruct((7,), np.dtype(np.float32)),
    num_actions=0,
    action=jax.ShapeDtypeStruct((3,), np.dtype(np.float32)),
)
# Prompts of at most 6 tokens, and completions of at most 4, from 13 tokens.
COMPLETIONS = Spec(
    observation=jax.ShapeDtypeStruct((10,), np.dtype(np.int32)),
    num_actions=13,
    action=jax.ShapeDtypeStruct((4,), np.dtype(np.int32)),
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
        config: of any agent; fields that are a network's configuration are replaced.
        spec: `IMAGES`, `COMPLETIONS`, or a spec whose observations are vectors.
    """
    torso: Literal["dqn2013", "mlp"] = "dqn2013" if spec is IMAGES else "mlp"
    found: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if isinstance(value, networks.Config):
            found[field.name] = dataclasses.replace(value, torso=torso, hidden=(13,))
        elif isinstance(value, architecture.Config):
            found[field.name] = architecture.Config(
                width=8, layers=1, heads=2, kv_heads=1
            )
    return dataclasses.replace(config, **found)


def observations(spec: Spec, number: int, seed: int = 0) -> np.ndarray:
    """Random observations `[number, ...]`."""
    rng = np.random.default_rng(seed)
    shape, dtype = spec.observation.shape, spec.observation.dtype
    if spec.kind == "tokens":
        [columns] = spec.action.shape
        prompts = _texts(rng, number, shape[0] - columns, spec.num_actions)
        return np.concatenate([prompts, completions(spec, rng, number)], axis=1)
    if dtype == np.uint8:
        return rng.integers(0, 256, (number, *shape), np.uint8)
    return rng.normal(size=(number, *shape)).astype(dtype)


def _texts(
    rng: np.random.Generator, number: int, columns: int, vocabulary: int
) -> np.ndarray:
    """Random words `[number, columns]`, of different lengths, with padding."""
    words = rng.integers(4, vocabulary, (number, columns)).astype(np.int32)
    lengths = rng.integers(1, columns + 1, number)
    return np.where(np.arange(columns) < lengths[:, None], words, sequences.PAD)


def completions(spec: Spec, rng: np.random.Generator, number: int) -> np.ndarray:
    """Random completions `[number, T]`; those that are short enough end with EOS."""
    [columns] = spec.action.shape
    texts = _texts(rng, number, columns, spec.num_actions)
    ends = np.cumsum(texts == sequences.PAD, axis=1) == 1
    return np.where(ends, sequences.EOS, texts).astype(np.int32)


def actions(spec: Spec, rng: np.random.Generator) -> np.ndarray:
    """A batch of random actions, which includes both ends of the box."""
    if spec.kind == "tokens":
        return completions(spec, rng, BATCH)
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
    """Whether two pytrees of the same structure have equal leaves; NaN equals NaN."""
    pairs = zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True)
    return all(_equal(a, b) for a, b in pairs)


def _equal(left: Any, right: Any) -> bool:
    floats = jnp.issubdtype(jnp.asarray(left).dtype, jnp.floating)
    return np.array_equal(left, right, equal_nan=bool(floats))
