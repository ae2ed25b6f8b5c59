"""Transitions of single steps, against the episodes that they come from."""

import dataclasses

import dm_env
import jax
import numpy as np
import pytest

from agents.parts.contract import Storage
from launch.replay.transitions import Transitions
from tests.launch.replay import made_up_extras
from tests.launch.replay import recorded_streams as streams

LANES = 3
STORAGE = Storage(order="queue", capacity=7, batch_size=7, samples_per_insert=1.0)


def transitions(stack=1, storage=STORAGE, extras=()):
    return Transitions(storage, streams.make_spec(stack), LANES, extras)


def timestep(*kinds):
    zeros = np.zeros(LANES, np.float32)
    frames = np.arange(LANES * 6, dtype=np.int32).reshape(LANES, *streams.FRAME)
    return dm_env.TimeStep(np.array(kinds, np.int32), zeros, zeros + 1, frames)


@pytest.mark.parametrize("stack", [1, 4])
def test_they_are_those_of_the_episodes(stack):
    stream = streams.record(steps=80, frame_stack=stack, lanes=LANES)
    made, found = transitions(stack), []
    made.observe_first(stream.steps[0][1])
    for actions, step in stream.steps[1:]:
        found += streams.keys(made.observe(actions, step))
    reference = streams.reference(stream, n_step=1, discount=0.9)
    assert len(found) > 100
    assert sorted(found) == sorted(map(streams.key, reference))


def test_they_have_the_types_of_their_spec_and_their_extras():
    made = transitions(extras=made_up_extras.SPEC)
    made.observe_first(timestep(*[streams.FIRST] * LANES))
    actions = np.arange(LANES, dtype=np.int64)
    extras = made_up_extras.extras_of(np.array([7, 8, 9]), actions)
    kinds = (streams.MID, streams.FIRST, streams.LAST)
    found = made.observe(actions, timestep(*kinds), extras)
    assert found.action.tolist() == [0, 2]
    wanted = made_up_extras.extras_of(np.array([7, 9]), np.array([0, 2]))
    jax.tree.map(np.testing.assert_array_equal, found.extras, wanted)
    for leaf, spec in zip(
        jax.tree.leaves(found), jax.tree.leaves(made.spec), strict=True
    ):
        assert (leaf.shape, leaf.dtype) == ((2, *spec.shape), spec.dtype)


@pytest.mark.parametrize("terminal", [False, True])
def test_a_truncated_episode_ends_as_the_storage_says(terminal):
    storage = dataclasses.replace(STORAGE, terminal_at_time_limit=terminal)
    made = transitions(storage=storage)
    made.observe_first(timestep(*[streams.FIRST] * LANES))
    step = timestep(streams.LAST, streams.MID, streams.LAST)
    found = made.observe(np.zeros(LANES, np.int32), step)
    assert found.discount.tolist() == ([0, 1, 0] if terminal else [1, 1, 1])


def test_a_step_outside_of_an_episode_is_refused():
    made = transitions()
    made.observe_first(timestep(*[streams.FIRST] * LANES))
    actions = np.zeros(LANES, np.int32)
    made.observe(actions, timestep(streams.MID, streams.LAST, streams.MID))
    with pytest.raises(ValueError, match=r"^environment 1 has step type 1 outside of"):
        made.observe(actions, timestep(*[streams.MID] * LANES))
