"""Writers wait for a table, and end with a stop."""

import threading
import time

import numpy as np
import pytest

pytestmark = [
    pytest.mark.reverb,
    # TensorFlow 2.8 is older than NumPy's deprecations.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

ROOM = 3


@pytest.fixture
def client(make_server):
    import reverb

    found = make_server([reverb.Table.queue("small", ROOM)])
    yield found
    found.reset("small")  # else the server would wait for a writer that waits for room


@pytest.fixture
def stopped():
    return threading.Event()


@pytest.fixture
def writers(client, stopped):
    import reverb

    from launch.replay.reverb_writers import Writers

    step = reverb.structured_writer.create_reference_step("number")
    config = reverb.structured_writer.Config(
        flat=[step[-1]], table="small", priority=1.0, conditions=[]
    )
    return Writers(client, config, 2, stopped.is_set)


def numbers(client, count):
    samples = client.sample("small", count, emit_timesteps=False)
    return sorted(int(sample.data[0]) for sample in samples)


def test_a_flush_waits_while_the_table_is_full(client, writers):
    for i in range(ROOM):
        writers.append(i % 2, np.int32(i))
        writers.flush(0)
    before = writers.waited_seconds
    writers.append(0, np.int32(ROOM))
    found = []
    taker = threading.Timer(0.7, lambda: found.extend(numbers(client, ROOM)))
    taker.start()
    writers.flush(0)
    taker.join()
    assert found == [0, 1, 2]
    assert writers.waited_seconds > before + 0.5
    writers.close()
    assert numbers(client, 1) == [ROOM]


def test_a_stop_ends_the_wait_and_hardly_lets_later_ones_begin(writers, stopped):
    for i in range(ROOM):
        writers.append(0, np.int32(i))
    writers.append(0, np.int32(ROOM))
    writers.append(1, np.int32(ROOM + 1))
    stopped.set()
    began = time.monotonic()
    writers.flush(0)
    writers.close()
    assert time.monotonic() - began < 20, "it must not wait for room"
