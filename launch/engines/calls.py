"""Calls to other nodes of the program, which end when the program does."""

import concurrent.futures
import contextlib
import time
import types
from collections.abc import Callable
from typing import Any

import launchpad as lp
from courier.python import client as courier_client

from launch.errors import Stopped

_POLL_SECONDS = 0.2


class _Future(concurrent.futures.Future):
    """A future that may be cancelled while its answer is on the way.

    Courier hands answers over from a thread of C++, where the error that an ordinary
    future raises then would abort the process.
    """

    def set_result(self, result: Any) -> None:
        """Takes the answer, unless nobody waits for it any more."""
        with contextlib.suppress(concurrent.futures.InvalidStateError):
            super().set_result(result)


# What Courier's clients make their futures from.
courier_client.futures = types.SimpleNamespace(
    Future=_Future, InvalidStateError=concurrent.futures.InvalidStateError
)


class Remote:
    """A node whose public methods are called like those of an object.

    A plain Courier call waits for ever for a node that is gone, and not even a signal
    gets through to its thread. Made by the thread that runs the calling node.
    """

    def __init__(self, client: Any, patience: float = 5.0):
        """Wraps a Courier client.

        Args:
            client: of the node.
            patience: seconds for an answer once the program is being stopped.
        """
        self._client = client
        self._patience = patience
        self._stop = lp.stop_event()

    def __getattr__(self, method: str) -> Callable[..., Any]:
        """The method; it raises Stopped if the node is gone at the end."""

        def call(*args: Any) -> Any:
            return self._wait(getattr(self._client.futures, method)(*args))

        return call

    def close(self) -> None:
        """Makes no more calls."""
        shut_down(self._client)

    def _wait(self, pending: concurrent.futures.Future) -> Any:
        deadline = None
        while not concurrent.futures.wait([pending], _POLL_SECONDS).done:
            if self._stop.is_set():
                now = time.monotonic()
                deadline = now + self._patience if deadline is None else deadline
                if now >= deadline:
                    # Courier would wait for the answer when the client is destroyed.
                    pending.cancel()
                    raise Stopped
        return pending.result()


def shut_down(client: Any) -> None:
    """Waits for the threads of a Courier client.

    One that still hands over an answer while the interpreter ends aborts the process:
    "terminate called without an active exception".
    """
    client._client.Shutdown()
