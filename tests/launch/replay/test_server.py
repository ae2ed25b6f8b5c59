"""A server in a separate process serves the table, and ends with its context."""

import psutil
import pytest

from agents.parts.contract import Storage
from launch.replay import limiter, server

pytestmark = [
    pytest.mark.reverb,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of TensorFlow 2.8
]


def test_the_server_runs_until_the_context_ends():
    storage = Storage(min_size=5, capacity=100)
    with server.served(storage) as served:
        assert served.address == served.client.server_address
        assert limiter.limiter_state(served.client) == (0, 0, 0, 5, 0)
        assert psutil.pid_exists(served.pid)
    assert not psutil.pid_exists(served.pid)


def test_the_server_of_a_queue_has_that_of_one_actor():
    storage = Storage(
        order="queue", capacity=7, batch_size=5, min_size=1, samples_per_insert=1.0
    )
    with server.served(storage) as served:
        [(name, table)] = served.client.server_info().items()
        assert (name, table.max_size, table.max_times_sampled) == ("queue/0", 7, 1)


def test_a_failure_to_start_is_reported_with_its_reason():
    with pytest.raises(RuntimeError, match="the Reverb server did not start: "):
        with server.served("no storage"):
            pass
