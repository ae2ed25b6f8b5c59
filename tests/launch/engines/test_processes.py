"""Idle roles as processes: every end is in order, and no process is left over."""

import os
import re
import signal
import time
from pathlib import Path

import pytest

from launch.runs import events
from tests.marks import quick

pytestmark = pytest.mark.launchpad

TOY = str(Path(__file__).with_name("toy_program.py"))
SLEEPING = {"replay": "sleeps", "actor": "sleeps", "coordinator": "sleeps"}


@pytest.fixture
def program(command):
    """Starts a program whose roles play these parts, and waits until all have begun."""

    def start(parts):
        roles = SLEEPING | parts
        command.start(TOY, *(f"{role}={part}" for role, part in roles.items()))
        for _ in command.patiently(60, "the roles"):
            if len([line for line in tape(command) if "began" in line]) == 3:
                return command

    return start


def tape(command):
    path = command.directory / "tape"
    return path.read_text().splitlines() if path.exists() else []


def ended(command):
    return [line.split()[0] for line in tape(command) if line.endswith(" ended")]


def kill(command, role, number=signal.SIGKILL):
    for pid in command.alive():
        with open(f"/proc/{pid}/environ", "rb") as environment:
            if f"TOY_ROLE={role}\0".encode() in environment.read():
                os.kill(pid, number)
                return
    raise AssertionError(f"{role} is not among {command.alive()}")


def test_the_end_of_the_coordinator_ends_the_others_in_order(program):
    command = program({"coordinator": "ends"})
    code, _, err = command.wait(30)
    assert (code, err) == (0, "")
    assert ended(command) == ["actor", "replay"]
    assert not command.alive()
    logs = sorted(path.name for path in (command.directory / "logs").iterdir())
    assert logs == ["actor-0.log", "coordinator-0.log", "replay-0.log"]


@pytest.mark.parametrize("role", quick(["actor"], ["actor", "replay", "coordinator"]))
def test_a_role_that_fails_ends_the_program_and_is_named(program, role):
    command = program({role: "fails"})
    code, _, err = command.wait(30)
    assert code == 1
    assert err.startswith(f"{role}/0 died (exit code 1); its last lines, from ")
    assert f"ValueError: {role} has had enough" in err
    assert ended(command) == [
        r for r in ("actor", "replay", "coordinator") if r != role
    ]
    assert not command.alive()


def test_a_role_that_is_killed_ends_the_program_and_is_named(program):
    command = program({})
    kill(command, "replay")
    code, _, err = command.wait(30)
    assert code == 1
    assert err.startswith("replay/0 died (signal 9)")
    assert ended(command) == ["actor", "coordinator"]
    assert not command.alive()


@pytest.mark.parametrize(
    "number",
    quick(
        [signal.SIGUSR2],
        [
            signal.SIGINT,
            signal.SIGTERM,
            signal.SIGHUP,
            signal.SIGUSR1,
            signal.SIGUSR2,
        ],
    ),
)
def test_a_signal_to_every_process_ends_all_in_order(program, number):
    """A scheduler signals all processes of a job; Ctrl+C reaches the launcher only."""
    command = program({})
    command.process.send_signal(number)
    for pid in command.alive():
        if number != signal.SIGINT and pid != command.process.pid:
            os.kill(pid, number)
    code, _, err = command.wait(30)
    assert code == 128 + number
    assert err == f"stopped by {number.name}\n"
    assert ended(command) == ["actor", "replay", "coordinator"]
    assert not command.alive()


def test_a_role_that_dies_is_started_again_within_its_budget(program):
    command = program({"actor": "fails-again"})
    code, _, err = command.wait(60)
    assert code == 1
    *again, last = [line for line in err.splitlines() if line.startswith("actor/0")]
    assert len(again) == 2
    for line in again:
        assert re.fullmatch(
            r"actor/0 died \(exit code 1\) and is started again in 0\.\d s; see .*log",
            line,
        )
    assert last.startswith(
        "actor/0 died (exit code 1), it died 3 times in 60 minutes; its last lines, "
    )
    assert tape(command).count("actor began") == 3
    assert ended(command) == ["replay", "coordinator"]
    rows = events.read(command.directory)
    assert [(row["event"], row["life"]) for row in rows] == [
        ("restart", 0),
        ("restart", 1),
        ("lost", 2),
    ]
    assert {row["line"] for row in rows} == {"ValueError: actor has had enough"}


def test_a_role_that_does_not_end_is_killed(program):
    command = program({"actor": "ignores"})
    command.process.send_signal(signal.SIGINT)
    code, _, err = command.wait(30)
    assert code == 128 + signal.SIGINT
    assert "actor/0 did not end: killed" in err
    assert ended(command) == ["actor", "replay", "coordinator"]
    assert not command.alive()


def test_a_second_signal_ends_all_at_once(program):
    command = program(dict.fromkeys(SLEEPING, "ignores"))
    command.process.send_signal(signal.SIGINT)
    for _ in command.patiently(30, "the first stop"):
        if ended(command):
            break
    time.sleep(0.3)  # faster is not a second press, see `signals.Caught`
    began = time.monotonic()
    command.process.send_signal(signal.SIGINT)
    code, _, err = command.wait(30)
    assert code == 128 + signal.SIGINT
    assert time.monotonic() - began < 9, "less than the grace of two more groups"
    assert err.count("did not end: killed") == 3
    assert not command.alive()


@pytest.mark.parametrize("part", ["sleeps", "ignores"])
def test_no_role_survives_a_launcher_that_is_killed(program, part):
    command = program({"actor": part})
    command.process.kill()
    command.process.wait()
    command.await_all_gone(30)
    assert sorted(ended(command)) == sorted(SLEEPING)


def test_logs_of_an_earlier_start_are_kept(program, tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "actor-0.log").write_text("before\n")
    command = program({"actor": "fails", "coordinator": "sleeps"})
    assert command.wait(30)[0] == 1
    log = (tmp_path / "logs" / "actor-0.log").read_text()
    assert log.startswith("before\n") and "has had enough" in log
