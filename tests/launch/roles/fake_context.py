"""A context for a role that a test runs in its own thread."""

import threading
from concurrent.futures import Future


class FakePeer:
    """An object in the place of another role; records its calls."""

    def __init__(self, role):
        self._role = role
        self.called, self.closed = [], 0

    def __getattr__(self, method):
        def call(*arguments):
            self.called.append((method, arguments))
            return getattr(self._role, method)(*arguments)

        return call

    def begin(self, method, *arguments):
        answer = Future()
        answer.set_result(getattr(self, method)(*arguments))
        return answer

    def close(self):
        self.closed += 1

    def calls_of(self, method):
        return [arguments for name, arguments in self.called if name == method]


class FakeContext:
    """Peers are objects; the stop is set by the test, or by one of them."""

    def __init__(self, name, life=0, **roles):
        self.name = name
        self.index = int(name.partition("/")[2] or 0)
        self.life = life
        self.port = 0
        self.stop = threading.Event()
        self.must_end = None
        self.peers = {role: FakePeer(made) for role, made in roles.items()}

    def peer(self, role, patience=5.0):
        del patience
        return self.peers[role]

    def deadline(self):
        return self.must_end

    def watched(self, environment):
        return environment

    def address(self, role, index=0):
        return f"{role}:{index + 1}"
