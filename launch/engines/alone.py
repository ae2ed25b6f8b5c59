"""A single role served by Courier, without a program around it."""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import courier

from launch.engines.calls import CourierPeer, tolerate_late_answers


@contextlib.contextmanager
def served(role: Any, methods: Sequence[str]) -> Iterator[CourierPeer]:
    """Context manager: methods of an object, called as those of another process.

    Args:
        role: the object; this process serves it.
        methods: names of its methods.
    """
    tolerate_late_answers()
    server = courier.Server()
    for method in methods:
        server.Bind(method, getattr(role, method))
    server.Start()
    try:
        client = courier.Client(f"localhost:{server.port}")
        yield CourierPeer(client, threading.Event())
    finally:
        server.Stop()
