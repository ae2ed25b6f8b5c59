"""The queue of local runs: each transition once and in order, also after a save."""

import dm_env
import jax
import numpy as np
import pytest

from agents.parts.contract import Spec, Storage
from launch.errors import RunDirectoryError
from launch.replay.in_process_queue import InProcessQueue
from tests.launch.replay import recorded_streams as streams
from tests.launch.replay.made_up_extras import SPEC, assert_belong, feed

LANES, COLUMNS, TOKENS = 3, 7, 4
TOKEN_SPEC = Spec(
    jax.ShapeDtypeStruct((COLUMNS,), np.int32),
    11,
    jax.ShapeDtypeStruct((TOKENS,), np.int32),
)
LOG_PROBS = {"log_probs": jax.ShapeDtypeStruct((TOKENS,), np.float32)}


def storage(batch_size, **settings):
    return Storage(
        order="queue",
        batch_size=batch_size,
        min_size=1,
        capacity=batch_size,
        samples_per_insert=1.0,
        **settings,
    )


def make_queue(batch_size, frame_stack=1, extras=(), lanes=2, **settings):
    return InProcessQueue(
        storage(batch_size, **settings),
        streams.make_spec(frame_stack),
        num_environments=lanes,
        extras=extras,
    )


def drain(queue):
    return [queue.next() for _ in range(queue.owed())]


@pytest.mark.parametrize("frame_stack", [1, 4])
def test_each_transition_is_taken_once_and_in_order(frame_stack):
    stream = streams.record(steps=61, frame_stack=frame_stack)
    queue = make_queue(5, frame_stack)
    streams.feed(queue, stream)
    wanted = [
        streams.key(transition)
        for transition in streams.reference(stream, n_step=1, discount=0.3)
    ]
    assert queue.inserted == len(wanted) > 80
    batches = drain(queue)
    taken = [key for batch in batches for key in streams.keys(batch)]
    assert len(taken) == len(wanted) // 5 * 5 == queue.sampled
    assert len(set(taken)) == len(taken) and set(taken) <= set(wanted)
    assert queue.stored() == len(wanted) % 5 > 0
    # Frames of lane 0 are numbered upwards from 0, those of lane 1 from a million.
    for lane in range(2):
        own = [key[-1][-1] for key in taken if key[-1][-1] // 1_000_000 == lane]
        assert own == sorted(own)


def test_no_batch_is_owed_before_it_is_complete():
    queue = make_queue(7)
    assert queue.owed() == 0
    with pytest.raises(ValueError, match="the queue holds 0 of 7 transitions"):
        queue.next()
    streams.feed(queue, streams.record(steps=20, frame_stack=1))
    owed, rest = divmod(queue.inserted, 7)
    assert queue.owed() == owed > 0
    drain(queue)
    assert queue.owed() == 0 and queue.stored() == rest


def test_a_truncated_episode_may_be_stored_as_terminated():
    # Lengths of 1 and no termination: each timestep ends an episode, or begins one.
    def stored(**settings):
        queue = make_queue(LANES, lanes=LANES, **settings)
        rows = np.full(LANES, 0.5, np.float32), np.ones(LANES, np.float32)
        frames = np.zeros((LANES, *streams.FRAME), np.int32)
        first, last = (
            dm_env.TimeStep(np.full(LANES, kind, np.int32), *rows, frames)
            for kind in (streams.FIRST, streams.LAST)
        )
        queue.observe_first(first)
        queue.observe(np.arange(LANES, dtype=np.int32), last)
        return queue.next().discount.tolist()

    assert stored() == [1.0] * LANES
    assert stored(terminal_at_time_limit=True) == [0.0] * LANES


def test_a_step_outside_of_an_episode_is_an_error():
    queue = make_queue(5)
    stream = streams.record(steps=3, frame_stack=1)
    with pytest.raises(ValueError, match="environment 0 has step type 1 outside"):
        queue.observe(*stream.steps[1])


def test_extras_belong_to_the_first_observation():
    stream = streams.record(steps=40, frame_stack=4)
    queue = make_queue(6, 4, SPEC)
    feed(queue, stream, 4)
    for batch in drain(queue):
        assert_belong(batch, 4)


def generations(queue, count):
    """One-step episodes whose action is a completion; generation i is full of i."""
    kinds = (streams.FIRST, streams.LAST) * count
    for turn, kind in enumerate(kinds):
        rows = np.zeros(LANES, np.float32)
        prompts = np.full((LANES, COLUMNS), turn // 2, np.int32)
        prompts[:, 0] = np.arange(LANES)
        timestep = dm_env.TimeStep(np.full(LANES, kind, np.int32), rows, rows, prompts)
        if not turn:
            queue.observe_first(timestep)
            continue
        tokens = np.full((LANES, TOKENS), turn // 2, np.int32)
        queue.observe(tokens, timestep, {"log_probs": -tokens.astype(np.float32)})


def make_token_queue(batch_size, extras=LOG_PROBS):
    return InProcessQueue(
        storage(batch_size), TOKEN_SPEC, num_environments=LANES, extras=extras
    )


def test_completions_and_their_log_probs_are_queued():
    queue = make_token_queue(5)
    generations(queue, 3)  # 9 items
    batch = queue.next()
    assert batch.observation.shape == (5, COLUMNS)
    assert (batch.action.shape, batch.action.dtype) == ((5, TOKENS), np.int32)
    assert batch.action[:, 0].tolist() == [0, 0, 0, 1, 1]
    assert batch.observation[:, 0].tolist() == [0, 1, 2, 0, 1]
    log_probs = batch.extras["log_probs"]
    assert (log_probs.shape, log_probs.dtype) == ((5, TOKENS), np.float32)
    np.testing.assert_array_equal(log_probs, -batch.action)
    assert queue.stored() == 4


def test_with_as_many_environments_as_a_batch_nothing_is_left_over():
    queue = make_token_queue(LANES)
    for _ in range(4):
        generations(queue, 1)
        assert queue.owed() == 1
        queue.next()
        assert queue.stored() == 0


def test_what_is_left_over_survives_saving(tmp_path):
    queue, restored = make_token_queue(5), make_token_queue(5)
    generations(queue, 3)
    queue.next()
    queue.save(tmp_path / "queue")
    restored.restore(tmp_path / "queue", queue.progress(), 1)
    assert (restored.stored(), restored.inserted, restored.sampled) == (4, 9, 5)
    for one in (queue, restored):
        generations(one, 1)
    left, right = (jax.tree.leaves(one.next()) for one in (queue, restored))
    for leaf, other in zip(left, right, strict=True):
        np.testing.assert_array_equal(leaf, other)
        assert leaf.dtype == other.dtype


def test_an_empty_queue_can_be_saved(tmp_path):
    queue, restored = make_token_queue(5), make_token_queue(5)
    queue.save(tmp_path / "queue")
    restored.restore(tmp_path / "queue", queue.progress(), 0)
    assert restored.stored() == 0
    restored.restore(None, {}, 0)
    assert restored.stored() == 0


def test_transitions_of_another_agent_are_refused(tmp_path):
    queue = make_token_queue(5)
    generations(queue, 1)
    queue.save(tmp_path / "queue")
    other = {"log_probs": jax.ShapeDtypeStruct((TOKENS + 1,), np.float32)}
    with pytest.raises(RunDirectoryError) as caught:
        make_token_queue(5, other).restore(tmp_path / "queue", queue.progress(), 0)
    assert str(caught.value) == (
        f"{tmp_path}/queue/leaf5.npy must hold rows of shape [5] float32: resume with "
        "the agent and the environment that saved it"
    )
