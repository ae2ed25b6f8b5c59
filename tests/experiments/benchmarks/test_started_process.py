"""Started processes are paused, ended and, after a signal, gone with their folders."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from experiments.benchmarks import started_process
from experiments.benchmarks.measure import BenchFailed
from launch.errors import RunStopped

# A process with a child in another session, as the roles of a program are. It writes
# once the child runs: until then a stopped child keeps its parent from stopping, since
# the parent waits in vfork.
FAMILY = (
    "import subprocess, sys, time\n"
    "child = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
    "print(child.pid, flush=True); time.sleep(600)\n"
)
# A benchmark that has started a family and waits.
BENCHMARK = f"""
import os, sys, time
from experiments.benchmarks import started_process
with started_process.ended_in_order(), started_process.folder() as place:
    (place / "written").touch()
    with started_process.started([sys.executable, "-c", {FAMILY!r}]) as one:
        while not os.fstat(one._output.fileno()).st_size:
            time.sleep(0.01)
        if sys.argv[1:] == ["paused"]:
            one.pause()
        print(*[each.pid for each in one._family()], flush=True)
        time.sleep(600)
"""


def states(one):
    return [each.status() for each in one._family()]


def has_written(one):
    return os.fstat(one._output.fileno()).st_size > 0


def until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def family(tmp_path):
    with started_process.started([sys.executable, "-c", FAMILY], tmp_path) as one:
        until(lambda: has_written(one))
        assert len(one._family()) == 2
        yield one


def test_descendants_are_paused_and_continued(family):
    family.pause()
    until(lambda: states(family) == [psutil.STATUS_STOPPED] * 2)
    family.resume()
    until(lambda: psutil.STATUS_STOPPED not in states(family))


def test_the_end_reaches_a_paused_process_and_its_descendants(family):
    members = family._family()
    family.pause()
    family.end()
    psutil.wait_procs(members, timeout=60)
    assert not any(each.is_running() for each in members)


def test_a_process_that_does_not_end_is_killed(monkeypatch):
    monkeypatch.setattr(started_process, "_END_SECONDS", 0.2)
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN)\n"
    with started_process.started(
        [sys.executable, "-c", f"{deaf}print(flush=True)\ntime.sleep(600)"]
    ) as one:
        until(lambda: has_written(one))
        [process] = one._family()
    assert not process.is_running()


def test_a_process_that_has_ended_is_reported_with_its_last_lines():
    code = "print(*range(20), sep='\\n'); raise SystemExit(3)"
    with started_process.started([sys.executable, "-c", code]) as one:
        one._process.wait()
        with pytest.raises(BenchFailed) as caught:
            one.check("early")
    first, *lines = str(caught.value).splitlines()
    assert first == "the run ended early, with exit code 3"
    assert lines == [str(number) for number in range(8, 20)]


@pytest.mark.parametrize(
    "number, state",
    [
        (signal.SIGTERM, "paused"),
        (signal.SIGINT, "running"),
        (signal.SIGHUP, "running"),
    ],
)
def test_a_signal_leaves_no_process_and_no_folder(number, state, tmp_path):
    benchmark = subprocess.Popen(
        [sys.executable, "-c", BENCHMARK, state],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    members = [psutil.Process(int(pid)) for pid in benchmark.stdout.readline().split()]
    assert len(members) == 2 and len(os.listdir(tmp_path)) == 1
    for _ in range(3):  # a scheduler repeats its signals
        benchmark.send_signal(number)
    _, said = benchmark.communicate(timeout=100)
    expected = "KeyboardInterrupt" if number == signal.SIGINT else "RunStopped"
    assert expected in said
    psutil.wait_procs(members, timeout=60)
    assert not any(each.is_running() for each in members)
    assert not os.listdir(tmp_path)


def test_the_signal_is_named_and_earlier_handlers_return():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(RunStopped, match="stopped by SIGTERM") as caught:
        with started_process.ended_in_order():
            signal.raise_signal(signal.SIGTERM)
    assert caught.value.signal == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == before
