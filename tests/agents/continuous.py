"""A specification and batches of an environment with continuous actions, odd sizes."""

import jax
import numpy as np

from agents.parts.types import Spec, Transition

SPEC = Spec(
    observation=jax.ShapeDtypeStruct((7,), np.dtype(np.float32)),
    num_actions=0,
    action=jax.ShapeDtypeStruct((3,), np.dtype(np.float32)),
)


def batch_of(size=11, seed=0):
    """Random transitions, with actions at both ends of the box among them."""
    rng = np.random.default_rng(seed)
    action = rng.uniform(-1, 1, (size, 3)).astype(np.float32)
    action[0], action[1] = 1.0, -1.0
    return Transition(
        observation=rng.normal(size=(size, 7)).astype(np.float32),
        action=action,
        reward=rng.normal(size=size).astype(np.float32),
        discount=rng.integers(0, 2, size).astype(np.float32),
        next_observation=rng.normal(size=(size, 7)).astype(np.float32),
    )
