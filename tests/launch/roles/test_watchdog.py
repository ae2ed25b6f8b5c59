"""The watchdog: its diagnosis, when it raises, and how it ends a hanging local run."""

import subprocess
import sys

import pytest

from launch import errors
from launch.replay import limiter
from launch.roles import watchdog


class Clock:
    """Time that a test moves."""

    def __init__(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr(watchdog.time, "monotonic", lambda: self.now)

    def run(self, seconds, *checks):
        """Lets time pass in which the process runs, and so checks every second."""
        for _ in range(seconds):
            self.now += 1
            for check in checks:
                check()


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


@pytest.fixture
def watched(clock, tmp_path, monkeypatch):
    dog = watchdog.Watchdog(
        30.0, tmp_path, servers={"replay": "patched", "replay/1": "below"}
    )
    state = limiter.LimiterState(7, 7, 0, 13, 0)
    monkeypatch.setattr(dog, "_limiters", lambda name: [limiter.describe(state, name)])
    return dog


def test_the_watchdog_is_silent_while_a_role_reports(watched, clock):
    for _ in range(5):
        clock.run(29, watched.check)
        watched.moved("actor/0")


def test_start_up_takes_twice_as_long(watched, clock):
    clock.run(59, watched.check)
    with pytest.raises(errors.Stalled, match="no role has reported"):
        clock.run(1, watched.check)


def test_diagnosis_names_roles_and_the_limiter(watched, clock, tmp_path):
    watched.moved("learner")
    clock.run(11, watched.check)
    watched.moved("actor/0")
    clock.run(29, watched.check)
    with pytest.raises(errors.Stalled) as stalled:
        clock.run(1, watched.check)
    lines = str(stalled.value).splitlines()
    assert lines == [
        "no progress for 30 seconds",
        "learner: last progress 41 seconds ago",
        "actor/0: last progress 30 seconds ago",
        *(
            f"{name}: 7 transitions, 7 inserted, 0 sampled; "
            "the learner waits for 13 inserts"
            for name in ("replay", "replay/1")
        ),
    ]
    said, stacks = (tmp_path / watchdog.FILE).read_text().split("\nCurrent thread ")
    assert said.startswith(str(stalled.value))
    assert "test_diagnosis_names_roles_and_the_limiter" in stacks


def test_a_report_during_the_diagnosis_keeps_the_run_alive(watched, clock, monkeypatch):
    def limiter_takes_its_time(name):
        watched.moved("learner")
        return ["the replay took its time"]

    monkeypatch.setattr(watched, "_limiters", limiter_takes_its_time)
    clock.run(61, watched.check)


def test_time_in_which_a_process_is_suspended_is_no_stall(watched, clock, tmp_path):
    """Ctrl+Z, or the lid of a laptop: no role moves, and this process neither."""
    beat = watchdog.Heartbeat(30.0, tmp_path)
    watched.moved("learner")
    for _ in range(5):
        clock.now += 100_000  # counts as five seconds
        watched.check()
        beat.check()
    clock.run(4, watched.check)
    with pytest.raises(errors.Stalled):
        clock.run(1, watched.check)


def test_a_save_is_no_stall_however_long_it_takes(watched, clock):
    watched.saving = True
    clock.run(500, watched.check)
    watched.saving = False
    clock.run(29, watched.check)
    with pytest.raises(errors.Stalled):
        clock.run(1, watched.check)


@pytest.mark.slow
@pytest.mark.reverb
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of TensorFlow 2.8
def test_a_replay_that_does_not_answer_is_part_of_the_diagnosis(tmp_path):
    dog = watchdog.Watchdog(30.0, tmp_path, {"replay": "localhost:1"})
    [said] = dog._limiters("replay")
    assert said.startswith("the replay does not answer: ")


def test_a_run_without_replay_has_a_diagnosis_too(clock, tmp_path):
    dog = watchdog.Watchdog(30.0, tmp_path, servers={})
    dog.moved("learner")
    with pytest.raises(errors.Stalled) as caught:
        clock.run(31, dog.check)
    assert str(caught.value).endswith("learner: last progress 30 seconds ago")


def test_a_coordinator_that_is_silent_is_noticed(clock, tmp_path):
    dog = watchdog.Watchdog(30.0, tmp_path, servers={})
    beat = watchdog.Heartbeat(30.0, tmp_path)
    clock.run(119, beat.check)  # 30 for the start, 30, and 60 for a diagnosis
    dog.moved("learner")
    dog.check()
    beat.check()
    clock.run(90, beat.check)
    with pytest.raises(errors.RoleFailed, match="no sign of life for 90 s"):
        clock.run(1, beat.check)
    assert "no sign of life" in (tmp_path / watchdog.FILE).read_text()


HANG = """
import sys, time
from pathlib import Path
from launch.roles import watchdog

def hangs_here():
    time.sleep(60)

dog = watchdog.LocalWatchdog(0.5, Path(sys.argv[1]))
dog.alive()
hangs_here()
"""


SUSPENDED = """
import os, signal, subprocess, sys, time
from pathlib import Path
from launch.roles import watchdog

watchdog._LONGEST_SECONDS = 0.2
dog = watchdog.LocalWatchdog(1.0, Path(sys.argv[1]))
for _ in range(2):  # suspended for two seconds, and busy for a moment
    resume = f"sleep 2; kill -CONT {os.getpid()}"
    subprocess.Popen(["sh", "-c", resume], start_new_session=True)
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(0.1)
    dog.alive()
with dog.saving():
    time.sleep(2)
dog.close()
"""


def test_local_run_that_is_suspended_or_saves_goes_on(tmp_path):
    done = subprocess.run([sys.executable, "-c", SUSPENDED, str(tmp_path)], timeout=50)
    assert done.returncode == 0
    assert not list(tmp_path.iterdir())


def test_local_run_that_is_killed_leaves_no_file_of_a_stall(tmp_path):
    script = HANG.replace("\nhangs_here()\n", "\nimport os; os._exit(7)\n")
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], timeout=50)
    assert done.returncode == 7
    assert not list(tmp_path.iterdir())


def test_local_run_that_hangs_ends_with_its_stack(tmp_path):
    command = [sys.executable, "-c", HANG, str(tmp_path)]
    done = subprocess.run(command, timeout=50, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "munchausen: the run made no progress for 0.5 s; the stacks of its threads are "
        f"in {tmp_path / watchdog.FILE}; continue it with --resume {tmp_path}"
    )
    assert "hangs_here" in (tmp_path / watchdog.FILE).read_text()


def test_local_run_that_ends_leaves_nothing(tmp_path):
    dog = watchdog.LocalWatchdog(50.0, tmp_path)
    dog.alive()
    dog.close()
    assert not list(tmp_path.iterdir())
