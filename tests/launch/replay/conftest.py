"""Servers for tests of the replay."""

import pytest


@pytest.fixture
def make_server():
    """Function from tables to the client of a server that ends with the test."""
    import reverb

    servers = []

    def make(tables) -> reverb.Client:
        servers.append(reverb.Server(tables))
        return reverb.Client(f"localhost:{servers[-1].port}")

    yield make
    for server in servers:
        server.stop()
