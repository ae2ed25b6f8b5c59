"""Calls to other roles: their answers, and their end with the program."""

import concurrent.futures
import subprocess
import sys
import threading
import time

import pytest

from launch.engines.calls import CourierPeer
from launch.errors import Stopped
from launch.roles.parameters import Parameters


class Client:
    """A Courier client whose calls are answered by hand."""

    def __init__(self):
        self.calls, self.shut = [], 0
        self.futures = self._client = self

    def __getattr__(self, method):
        def call(*args):
            self.calls.append((method, args, concurrent.futures.Future()))
            return self.calls[-1][2]

        return call

    def Shutdown(self):
        self.shut += 1


@pytest.fixture
def client():
    return Client()


@pytest.fixture
def stop():
    """The stop event of the calling role."""
    return threading.Event()


def later(client, answer, seconds=0.05):
    def run():
        while not client.calls or client.calls[-1][2].done():
            time.sleep(0.01)
        time.sleep(seconds)
        answer(client.calls[-1][2])

    threading.Thread(target=run).start()


def test_a_peer_is_called_like_an_object(client, stop):
    later(client, lambda future: future.set_result(7))
    assert CourierPeer(client, stop).add(3, 4) == 7
    [(method, args, _)] = client.calls
    assert (method, args) == ("add", (3, 4))


def test_an_error_of_the_other_role_is_raised_in_the_caller(client, stop):
    later(client, lambda future: future.set_exception(RuntimeError("it is full")))
    with pytest.raises(RuntimeError, match="it is full"):
        CourierPeer(client, stop).add()


def test_a_slow_answer_is_waited_for_while_the_program_runs(client, stop):
    later(client, lambda future: future.set_result(7), seconds=0.5)
    assert CourierPeer(client, stop, patience=0.0).add() == 7


def test_an_answer_within_patience_is_returned_after_a_stop(client, stop):
    stop.set()
    later(client, lambda future: future.set_result(7), seconds=0.3)
    assert CourierPeer(client, stop, patience=20.0).add() == 7


def test_a_call_is_cancelled_when_the_program_stops(client, stop):
    threading.Timer(0.1, stop.set).start()
    with pytest.raises(Stopped):
        CourierPeer(client, stop, patience=0.1).add()
    assert client.calls[0][2].cancelled()


def test_closing_waits_for_couriers_threads(client, stop):
    CourierPeer(client, stop).close()
    assert client.shut == 1


def test_parameters_are_fetched_again_only_when_it_is_time(client, stop, monkeypatch):
    later(client, lambda future: future.set_result((41, [{"w": 1.0}])))
    newest = Parameters(CourierPeer(client, stop), ["q"], stop)
    assert float(newest()["q"]["w"]) == 1.0
    assert newest.learner_step == 41 and len(client.calls) == 1
    newest._due = 0.0
    newest()
    assert client.calls[1][:2] == ("get_variables", (["q"],))
    assert float(newest()["q"]["w"]) == 1.0, "the old ones while the new ones come"
    client.calls[1][2].set_result((43, [{"w": 2.0}]))
    assert float(newest()["q"]["w"]) == 2.0 and newest.learner_step == 43
    newest._due = 0.0
    newest()
    newest.close()
    assert client.calls[2][2].cancelled() and client.shut == 1


def test_parameters_do_not_wait_for_a_learner_that_never_comes(client, stop):
    threading.Timer(0.1, stop.set).start()
    with pytest.raises(Stopped):
        Parameters(CourierPeer(client, stop), ["q"], stop)
    assert client.calls[0][2].cancelled() and client.shut == 1


LATE = """
import threading
import time
import courier
from launch.engines import calls

calls.tolerate_late_answers()
server = courier.Server()
server.Bind("slow", lambda: time.sleep(0.5) or 7)
server.Start()
client = courier.Client(server.address)
assert client.futures.slow().result() == 7
pending = client.futures.slow()
pending._done_callbacks.clear()  # it is too late to cancel the call itself
assert pending.cancel()
time.sleep(1.5)
print("alive", flush=True)
calls.CourierPeer(client, threading.Event()).close()
os._exit(0)
"""


@pytest.mark.launchpad
def test_an_answer_to_a_cancelled_call_does_not_abort_the_process():
    command = [sys.executable, "-c", "import os" + LATE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr


def test_importing_the_module_leaves_couriers_clients_unchanged():
    code = """
from courier.python import client
before = client.futures
from launch.engines import calls
assert client.futures is before
calls.tolerate_late_answers()
assert client.futures is not before
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
