"""Extras of a made-up policy, which encode the frame and action they belong to."""

import itertools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Extras(NamedTuple):
    """The extras that the made-up policy returns for each lane."""

    log_prob: Any  # [] float32
    counts: Any  # [3] int32


SPEC = Extras(
    jax.ShapeDtypeStruct((), np.float32), jax.ShapeDtypeStruct((3,), np.int32)
)


def extras_of(frames, actions):
    """Extras `[N, ...]` that encode the frame `[N]` and action they belong to."""
    frames, actions = jnp.asarray(frames), jnp.asarray(actions)
    counts = jnp.stack([frames, actions, 2 * frames + actions], axis=-1)
    return Extras(-(frames + actions / 16).astype(jnp.float32), counts.astype(np.int32))


def newest_frame(observation, frame_stack):
    """A number for each observation `[N, ...]` of a stream: its newest frame's."""
    newest = observation[:, -1] if frame_stack > 1 else observation
    return newest[:, 0, 0]


def feed(adder, stream, frame_stack):
    """Adds each step with the extras of the observation that it was taken at."""
    adder.observe_first(stream.steps[0][1])
    for (_, before), (actions, after) in itertools.pairwise(stream.steps):
        frames = newest_frame(before.observation, frame_stack)
        adder.observe(actions, after, extras_of(frames, actions))


def assert_belong(batch, frame_stack):
    """Asserts that a batch's extras are those of its first observations and actions."""
    frames = newest_frame(batch.observation, frame_stack)
    wanted = extras_of(frames, batch.action)
    assert type(batch.extras) is Extras
    for got, leaf in zip(batch.extras, wanted, strict=True):
        assert got.dtype == leaf.dtype
        np.testing.assert_array_equal(got, leaf)


def acting(agent, extras_of_observation):
    """The agent, returning these extras with its actions."""

    def act(params, key, observation, actor_steps, evaluation):
        actions, _ = agent.act(params, key, observation, actor_steps, evaluation)
        return actions, extras_of_observation(observation, actions)

    return agent._replace(act=act)


def hash_of(observation):
    """A number for each board of Catch, from boards as rows of 50 cells."""
    flat = observation.reshape(len(observation), -1)
    return flat @ jnp.arange(1.0, flat.shape[-1] + 1)
