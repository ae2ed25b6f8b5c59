"""Frames of a replay in the memory of the device equal those in the host's."""

import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from agents.parts.contract import Storage
from launch.replay import frames
from launch.replay.frames import DeviceFrames, HostFrames
from launch.replay.in_process import InProcess
from tests.launch.replay import recorded_streams as streams

# Fewer rows than the streams have, so that the oldest are overwritten.
STORAGE = Storage(
    n_step=3, capacity=90, min_size=5, batch_size=13, samples_per_insert=2.0
)


def store(place, *, stack=4):
    return InProcess(
        STORAGE,
        streams.make_spec(stack),
        discount=0.9,
        frame_stack=stack,
        num_environments=2,
        seed=7,
        place=place,
    )


def read(source):
    """The next batch as an update reads it."""
    batch = source.next()
    return jax.jit(source.read)(batch, source.shared)


def assert_equal_batches(one, other, count=5):
    for _ in range(count):
        left, right = read(one), read(other)
        jax.tree.map(np.testing.assert_array_equal, left, right)
        assert left.observation.dtype == right.observation.dtype


@pytest.mark.parametrize("stack", [1, 4])
def test_batches_are_the_same_wherever_the_frames_are(stack):
    host, device = store("host", stack=stack), store("device", stack=stack)
    for each in (host, device):
        streams.feed(each, streams.record(steps=170, frame_stack=stack))
    assert_equal_batches(host, device)


def test_frames_written_after_a_batch_belong_to_the_next_one():
    kept = DeviceFrames(7, (3,), np.uint8)
    kept.write(5, np.array([1, 2, 3], np.uint8))
    rows = kept.windows(np.array([[5, 6]]))
    before = np.asarray(frames.gathered(rows, kept.shared))
    assert before.tolist() == [[[1, 2, 3], [0, 0, 0]]]
    kept.write(6, np.array([4, 5, 6], np.uint8))
    kept.write(5, np.array([7, 8, 9], np.uint8))
    kept.write(5, np.array([9, 9, 9], np.uint8))  # the last one counts
    after = np.asarray(frames.gathered(rows, kept.shared))
    assert after.tolist() == [[[9, 9, 9], [4, 5, 6]]]


def test_more_frames_than_one_call_writes_are_all_kept():
    numbers = np.arange(150, dtype=np.int32)
    kept = DeviceFrames(151, (1,), np.int32)
    for number in numbers:
        kept.write(int(number), number[None])
    assert kept.to_host()[:, 0].tolist() == [*numbers.tolist(), 0]
    assert kept.nbytes == HostFrames(151, (1,), np.int32).nbytes == 604


@pytest.mark.parametrize("places", [("device", "host"), ("host", "device")])
def test_what_one_place_saves_the_other_restores(places, tmp_path):
    first, second = (store(place) for place in places)
    streams.feed(first, streams.record(steps=70, frame_stack=4))
    first.save(tmp_path / "rows")
    second.restore(tmp_path / "rows", first.progress(), 0)
    assert_equal_batches(first, second)


SHARED = """
import jax
import numpy as np
from launch.replay.frames import DeviceFrames
kept = DeviceFrames(7, (3,), np.uint8)
kept.write(2, np.full(3, 5, np.uint8))
assert len(kept.shared.sharding.device_set) == 4
assert kept.shared.sharding.is_fully_replicated
assert kept.to_host()[2].tolist() == [5, 5, 5]
kept.load(np.full((7, 3), 3, np.uint8))
kept.write(0, np.zeros(3, np.uint8))
assert kept.shared.sharding.is_fully_replicated
assert kept.to_host().sum() == 6 * 9
"""


def test_each_of_several_devices_has_all_frames():
    flags = "--xla_force_host_platform_device_count=4"
    subprocess.run(
        [sys.executable, "-c", SHARED],
        env=os.environ | {"XLA_FLAGS": flags},
        check=True,
    )
