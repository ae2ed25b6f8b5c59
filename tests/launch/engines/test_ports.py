"""Free ports of a host."""

import errno
import socket

import pytest

from launch.engines import ports


def test_a_reserved_port_is_not_given_again():
    with ports.reserve(0, 0) as first:
        low = first.getsockname()[1]
        with pytest.raises(OSError) as error:
            ports.reserve(low, low)
    assert error.value.errno == errno.EADDRINUSE
    assert str(error.value.args[-1]) == (
        f"a port of {low}-{low} must be free on {socket.gethostname()}, found none"
    )


def test_the_lowest_free_port_of_a_range_is_taken():
    with ports.reserve(0, 0) as first:
        low = first.getsockname()[1]
        with ports.reserve(low, min(low + 40, 65535)) as second:
            assert low < second.getsockname()[1] <= low + 40


def test_a_server_can_listen_once_the_port_is_given_back():
    held = ports.reserve(0, 0)
    port = held.getsockname()[1]
    held.close()
    with socket.create_server(("", port)) as server:
        assert server.getsockname()[1] == port
