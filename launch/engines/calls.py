"""Calls to other roles through Courier, which end when the program is stopped."""

import concurrent.futures
import contextlib
import threading
import time
import types
from collections.abc import Callable
from typing import Any

import courier
from courier.python import client as courier_client

from launch.errors import Stopped
from launch.roles.context import Stop
from launch.roles.roster import Roster

_POLL_SECONDS = 0.2
_SUPERVISOR_PATIENCE = 3.0  # seconds, in which no other role is watched


class _Future(concurrent.futures.Future):
    """A future that may be cancelled while its answer is on the way.

    Courier delivers answers in a C++ thread, where the error that an ordinary future
    then raises would abort the process.
    """

    def set_result(self, result: Any) -> None:
        """Takes the answer, unless the call was cancelled."""
        with contextlib.suppress(concurrent.futures.InvalidStateError):
            super().set_result(result)


def tolerate_late_answers() -> None:
    """Makes Courier's clients in this process return futures that may be cancelled."""
    courier_client.futures = types.SimpleNamespace(
        Future=_Future, InvalidStateError=concurrent.futures.InvalidStateError
    )


class CourierPeer:
    """Another role, whose public methods are called like those of a local object.

    A plain Courier call waits for ever for a role that is gone, and not even a signal
    interrupts its thread.
    """

    def __init__(self, client: Any, stop: Stop, patience: float = 5.0):
        """Wraps a Courier client.

        Args:
            client: Courier client of the other role.
            stop: stop event of the calling role.
            patience: seconds to wait for an answer once the event is set.
        """
        self._client = client
        self._stop = stop
        self._patience = patience

    def __getattr__(self, method: str) -> Callable[..., Any]:
        """The method; it raises Stopped if no answer comes after a stop."""
        if method.startswith("_"):
            raise AttributeError(method)
        return lambda *arguments: self._wait(self.begin(method, *arguments))

    def begin(self, method: str, *arguments: Any) -> concurrent.futures.Future:
        """Calls a method without waiting for the answer."""
        return getattr(self._client.futures, method)(*arguments)

    def close(self) -> None:
        """Closes the connection; waits for the threads of the Courier client.

        A thread that still delivers an answer while the interpreter ends aborts the
        process: "terminate called without an active exception".
        """
        self._client._client.Shutdown()

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


class CoordinatorLink:
    """The supervisor's line to the coordinator, which may be dead as well."""

    def __init__(self, address: str):
        """Connects at the first call.

        Args:
            address: of the coordinator, `host:port`.
        """
        self._address = address
        self._peer: CourierPeer | None = None

    def roster(self) -> Roster:
        """How far the run and its members are; an empty one if there is no answer."""
        try:
            return Roster(*self._connected().roster())
        except Stopped:
            return Roster()

    def lost(self, name: str) -> None:
        """Tells that a member is gone for good."""
        with contextlib.suppress(Stopped):
            self._connected().lost(name)

    def close(self) -> None:
        """Closes the connection."""
        if self._peer is not None:
            self._peer.close()

    def _connected(self) -> CourierPeer:
        if self._peer is None:
            tolerate_late_answers()
            stop = threading.Event()
            stop.set()  # a call waits for its patience only, not for ever
            client = courier.Client(self._address)
            self._peer = CourierPeer(client, stop, _SUPERVISOR_PATIENCE)
        return self._peer
