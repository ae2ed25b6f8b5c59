"""One life of a role on Ray, as the supervisor sees it; Ray is made up."""

import signal
from types import SimpleNamespace

import pytest

ray = pytest.importorskip("ray", reason="the extra `cluster` is not installed")

from ray import exceptions  # noqa: E402

from launch.engines import process, ray_handle  # noqa: E402
from launch.engines.ray_role import Report  # noqa: E402


class FakeRay:
    """Ray with one actor, whose answers are given by the methods that are called."""

    def __init__(self):
        self.actor = FakeActor(self)
        self.calls = []
        self.answers = {}
        self.killed = 0

    def wait(self, asked, timeout=None):
        done = [each for each in asked if each[0] in self.answers]
        return done, [each for each in asked if each not in done]

    def get(self, asked):
        answer = self.answers.pop(asked[0])
        if isinstance(answer, Exception):
            raise answer
        return answer

    def kill(self, actor):
        self.killed += 1


class FakeActor:
    def __init__(self, fake):
        self._fake = fake

    def __getattr__(self, method):
        def remote(*arguments):
            self._fake.calls.append((method, *arguments))
            return (method, *arguments)

        return SimpleNamespace(remote=remote)


class Clock:
    seconds = 0.0

    def now(self):
        return self.seconds


@pytest.fixture
def fake(monkeypatch):
    made, clock = FakeRay(), Clock()
    made.clock = clock
    monkeypatch.setattr(ray_handle, "ray", made)
    monkeypatch.setattr(ray_handle, "RunningClock", lambda: clock)
    for name in ("_REPORT_SECONDS", "_LOOK_SECONDS"):
        monkeypatch.setattr(ray_handle, name, 0.0)
    return made


@pytest.fixture
def handle(fake, tmp_path):
    names = {"k7": "gpu7"}.__getitem__
    return ray_handle.RayHandle(fake.actor, "order", tmp_path / "actor-3.log", names)


def placed(fake, handle, pid=77):
    fake.answers |= {"node": "k7", "start": Report(pid, None, b"begins\n")}
    assert handle.poll() is None


def test_a_role_without_a_place_runs_and_has_no_host(fake, handle):
    fake.clock.seconds = 9e9  # Ray may wait for hosts as long as it takes
    assert handle.poll() is None
    assert (handle.host, handle.pid, handle.tail()) == ("", 0, [])
    handle.signal(signal.SIGCONT)
    assert handle.poll() is None
    handle.signal(process.END)
    assert (handle.poll(), fake.killed) == (0, 1)


def test_new_bytes_of_the_log_are_appended_and_asked_for_by_place(fake, handle):
    placed(fake, handle)
    assert (handle.host, handle.pid) == ("gpu7", 77)
    assert fake.calls[-1] == ("poll", 7)
    fake.answers["poll"] = Report(77, None, b"goes on\n")
    assert handle.poll() is None
    assert fake.calls[-1] == ("poll", 15)
    fake.answers["poll"] = Report(77, 3, b"last\n")
    assert (handle.poll(), handle.poll(), fake.killed) == (3, 3, 1)
    assert handle.tail() == ["begins", "goes on", "last"]


def test_a_dead_ray_actor_is_a_killed_role_and_the_log_tells_why(fake, handle):
    placed(fake, handle)
    fake.answers["poll"] = exceptions.ActorDiedError()
    assert handle.poll() == -signal.SIGKILL
    assert handle.tail()[-1].startswith("munchausen: host gpu7: its Ray actor is gone:")


def test_a_host_that_is_silent_is_lost(fake, handle):
    placed(fake, handle)
    fake.clock.seconds = 25.0
    assert handle.poll() is None
    fake.clock.seconds = 25.6
    assert handle.poll() == -signal.SIGKILL
    said = "munchausen: host gpu7: no answer from its host for 26 s"
    assert handle.tail()[-1] == said


def test_a_host_may_take_longer_to_start_a_role(fake, handle):
    fake.answers["node"] = "k7"
    fake.clock.seconds = 500.0  # of waiting for a place
    assert handle.poll() is None
    fake.clock.seconds = 620.0
    assert handle.poll() is None
    fake.clock.seconds = 620.6
    assert handle.poll() == -signal.SIGKILL


def test_a_network_that_comes_back_costs_nothing(fake, handle):
    placed(fake, handle)
    fake.answers["poll"] = exceptions.ActorUnavailableError("gone", None)
    assert handle.poll() is None
    assert fake.calls[-1] == ("poll", 7)
    fake.answers["poll"] = Report(77, 0, b"")
    assert handle.poll() == 0


def test_kill_reaches_the_process_first(fake, handle):
    placed(fake, handle)
    handle.kill()
    assert (fake.calls[-1], fake.killed) == (("kill",), 1)
    assert handle.poll() == -signal.SIGKILL
    handle.kill()
    assert (fake.calls.count(("kill",)), fake.killed) == (1, 1)
