"""Every agent with continuous actions learns a task whose optimum is known.

One-step episodes: the reward falls with the squared distance between the action and a
target that the observation shows. Experience is uniformly random, so that agents learn
off-policy, as from a replay.
"""

import dataclasses

import jax
import numpy as np
import pytest

from agents import REGISTRY
from agents.parts import networks, sgd
from agents.parts.contract import Spec, Transition

# Without agents that learn only from datasets: they imitate actions, here random.
CONTINUOUS = [
    name
    for name, recipe in REGISTRY.items()
    if recipe.actions == "continuous" and not recipe.dataset
]
SPEC = Spec(
    jax.ShapeDtypeStruct((2,), np.dtype(np.float32)),
    0,
    jax.ShapeDtypeStruct((2,), np.dtype(np.float32)),
)


def target(observation):
    return np.stack([0.7 * observation[:, 0], -0.5 * observation[:, 1]], axis=-1)


def experience(rng, size):
    observation = rng.uniform(-1, 1, (size, 2)).astype(np.float32)
    action = rng.uniform(-1, 1, (size, 2)).astype(np.float32)
    distance = action - target(observation)
    return Transition(
        observation,
        action,
        reward=-np.square(distance).sum(-1).astype(np.float32),
        discount=np.zeros(size, np.float32),
        next_observation=observation,
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", CONTINUOUS)
def test_the_policy_finds_the_target(name):
    recipe = REGISTRY[name]
    config = dataclasses.replace(
        recipe.config(),
        network=networks.Config("mlp", (32, 32)),
        optimizer=sgd.Optimizer(3e-3, 1e-8),
    )
    agent, rng = recipe.agent(config, SPEC), np.random.default_rng(0)
    state, update = agent.init(jax.random.key(0)), jax.jit(agent.update)

    def distance(params):
        observation = experience(np.random.default_rng(1), 500).observation
        action, _ = agent.act(params, jax.random.key(1), observation, 0, True)
        return np.abs(action - target(observation)).mean()

    before = distance(state.params)
    for _ in range(1_000):
        state, _ = update(state, experience(rng, 64))
    after = distance(state.params)
    assert before > 0.25 > 0.08 > after, (before, after)
