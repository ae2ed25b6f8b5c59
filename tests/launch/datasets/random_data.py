"""Random specs, episodes and transitions, for tests of datasets."""

import jax
import numpy as np

from agents.parts.contract import Spec, Transition
from launch.datasets.episode import Episode


def spec_of(observation, action):
    """A continuous spec with these sizes of observation and action."""
    return Spec(
        jax.ShapeDtypeStruct((observation,), np.dtype(np.float32)),
        0,
        jax.ShapeDtypeStruct((action,), np.dtype(np.float32)),
    )


def episodes(lengths, observation=5, action=2, seed=0):
    """Random episodes; every second one terminates, beginning with the first."""
    draw = np.random.default_rng(seed)
    return [
        Episode(
            draw.normal(size=(length + 1, observation)).astype(np.float32),
            draw.uniform(-1, 1, (length, action)).astype(np.float32),
            draw.normal(size=length).astype(np.float32),
            terminated=i % 2 == 0,
        )
        for i, length in enumerate(lengths)
    ]


def transitions(size=11, observation=3, action=2):
    """Random transitions, rewards from -1 to 4; every fourth one terminates."""
    random = np.random.default_rng(5)
    return Transition(
        random.normal(3.0, 2.0, (size, observation)).astype(np.float32),
        random.uniform(-1, 1, (size, action)).astype(np.float32),
        np.linspace(-1, 4, size, dtype=np.float32),
        (np.arange(size) % 4 > 0).astype(np.float32),
        random.normal(3.0, 2.0, (size, observation)).astype(np.float32),
    )
