"""The reader of a Reverb table notices a stop, and loses no sample."""

import dataclasses
import threading
import time

import pytest

from launch.replay import limiter
from tests.launch.replay import recorded_streams as streams
from tests.launch.replay.reverb_parts import (
    STORAGE,
    make_adder,
    make_reader,
    make_tables,
)

pytestmark = [
    pytest.mark.reverb,
    # TensorFlow 2.8 is older than NumPy's deprecations.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def test_a_starved_reader_notices_a_stop(make_server):
    client = make_server(make_tables(STORAGE))
    stop = threading.Event()
    reader = make_reader(client, STORAGE, stop=stop.is_set)
    threading.Timer(0.3, stop.set).start()
    start = time.monotonic()
    assert list(reader) == []
    assert 0.3 <= time.monotonic() - start < 20
    state = limiter.limiter_state(client)
    assert state == (0, 0, 0, STORAGE.min_size, 0)


def test_samples_drawn_while_the_limiter_blocks_are_not_lost(make_server):
    storage = dataclasses.replace(
        STORAGE, n_step=1, min_size=2, samples_per_insert=2.0, batch_size=13
    )
    client = make_server(make_tables(storage))
    adder = make_adder(client, storage)
    stop = threading.Event()
    reader = make_reader(client, storage, stop=stop.is_set)
    batches = []
    thread = threading.Thread(target=lambda: batches.extend(reader))
    thread.start()
    stream = streams.record(steps=90, frame_stack=1)
    halves = [stream.steps[1:40], stream.steps[40:]]
    partial = []
    adder.observe_first(stream.steps[0][1])
    for half in halves:
        for actions, timestep in half:
            adder.observe(actions, timestep)
        time.sleep(1.2)  # Starves the reader for longer than it waits.
        partial.append(limiter.limiter_state(client).sampled % storage.batch_size)
    stop.set()
    thread.join(5)
    assert partial[0]
    lost = limiter.limiter_state(client).sampled - len(batches) * storage.batch_size
    assert 0 <= lost < storage.batch_size
    adder.close()
