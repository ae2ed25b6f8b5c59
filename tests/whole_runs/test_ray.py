"""A program on Ray: runs to its end, survives kill -9 of what can come back."""

import json
import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from launch.runs import checkpoint, events, roles, run_directory
from launch.runs.logs import read_evaluations
from tests.whole_runs import catch_commands

pytest.importorskip("ray", reason="the extra `cluster` is not installed")
pytestmark = [
    pytest.mark.launchpad,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    # TensorFlow 2.8 is older than NumPy's deprecations.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


class ThreeHosts:
    """A Ray cluster on this machine; see `three_hosts.py`."""

    def __init__(self, directory):
        script = str(Path(__file__).with_name("three_hosts.py"))
        self._process = subprocess.Popen(
            [sys.executable, script, "3", "2"],
            cwd=directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.address = self._line()

    def _line(self):
        return self._process.stdout.readline().strip()

    def remove(self):
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        assert self._line() == "removed"

    def close(self):
        self._process.communicate("", timeout=60)


@pytest.fixture
def hosts(tmp_path_factory, monkeypatch):
    """Three hosts, with a token that only this test has."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    monkeypatch.setenv("RAY_raylet_start_wait_time_s", "120")
    made = ThreeHosts(tmp_path_factory.mktemp("hosts"))
    yield made
    made.close()


@pytest.fixture
def running(command):
    """Starts a run on a Ray of this machine, and waits until it has a checkpoint."""
    command.munchausen(catch_commands.line("ray", "--checkpoint.period 1000"))
    return catch_commands.await_run(command, catch_commands.saved_steps, "saves", 300)


def await_another(command, role, pid):
    for _ in command.patiently(180, f"another {role}"):
        if command.await_role(f"munchausen {role} ") != pid:
            return


def test_a_run_outlives_its_actors_its_evaluator_and_their_ray_actors(command):
    steps = 40_000
    command.munchausen(f"{catch_commands.LINE} --launch ray --steps {steps}")
    directory = catch_commands.await_run(
        command, catch_commands.is_evaluated, "rows", 300
    )
    for role, above in (("actor/0", False), ("evaluator", False), ("actor/1", True)):
        pid = command.await_role(f"munchausen {role} ")
        os.kill(psutil.Process(pid).ppid() if above else pid, signal.SIGKILL)
        await_another(command, role, pid)
    code, _, err = command.wait(500)
    assert code == 0, err
    assert not command.alive()
    rows = events.read(directory)
    assert [row["role"] for row in rows] == ["actor/0", "evaluator/0", "actor/1"]
    assert {(row["event"], row["how"]) for row in rows} == {
        (events.RESTART, "signal 9")
    }
    assert "its Ray actor is gone" in rows[2]["line"]
    table = {row.role: row for row in roles.read(directory)}
    assert {role: row.restarts for role, row in table.items()} == {
        "replay": 0,
        "coordinator": 0,
        "learner": 0,
        "actor/0": 1,
        "actor/1": 1,
        "evaluator": 1,
    }
    assert len({row.pid for row in table.values()}) == 6
    logs = sorted(path.name for path in (directory / "logs").iterdir())
    assert logs == [
        "actor-0.log",
        "actor-1.log",
        "coordinator-0.log",
        "evaluator-0.log",
        "learner-0.log",
        "replay-0.log",
    ]
    evaluated = [row.grid for row in read_evaluations(directory)]
    assert evaluated == sorted(set(evaluated)) and evaluated[-1] == steps
    final = checkpoint.newest(directory).counts
    assert steps <= final.actor_steps < steps + 300
    storage = run_directory.read_experiment(directory).agent.storage
    inserts = final.actor_steps - storage.min_size
    owed = storage.samples_per_insert * inserts / storage.batch_size
    assert abs(final.learner_steps - owed) < 320 / 32 + 300, final


@pytest.mark.parametrize("above", (False, True), ids=("role", "ray-actor"))
def test_a_run_whose_learner_is_killed_ends_in_order(command, running, above):
    pid = command.await_role("munchausen learner ")
    # A role has the priority of its launcher, whatever Ray gives its workers.
    assert os.getpriority(os.PRIO_PROCESS, pid) == os.getpriority(os.PRIO_PROCESS, 0)
    os.kill(psutil.Process(pid).ppid() if above else pid, signal.SIGKILL)
    code, _, err = command.wait(30)
    assert code == 1
    assert "learner/0 died (signal 9); its last lines, from " in err, err
    assert "Traceback" not in err
    assert not command.alive()


def test_nothing_survives_a_killed_launcher(command, running):
    command.process.kill()
    command.wait()
    command.await_all_gone(30)


def test_a_signal_ends_a_run_in_order(command, running):
    command.process.send_signal(signal.SIGTERM)
    code, _, err = command.wait(60)
    assert code == 75, err
    assert f"continue with --resume {running.relative_to(command.directory)}" in err
    assert not command.alive()
    saved = checkpoint.newest(running)
    assert saved.counts.actor_steps > 1000


def test_actors_move_to_the_hosts_that_are_left(command, hosts):
    line = catch_commands.LINE.replace("--actors 2", "--actors 2..6")
    command.munchausen(f"{line} --launch ray --address {hosts.address} --steps 9000")
    directory = catch_commands.await_run(
        command, catch_commands.is_evaluated, "rows", 300
    )
    for _ in command.patiently(180, "the table"):
        table = roles.read(directory)
        if sum(row.pid > 0 for row in table if row.role.startswith("actor")) >= 5:
            break
    hosts.remove()
    code, _, err = command.wait(500)
    assert code == 0, err
    lost = [row for row in events.read(directory) if row["event"] == events.RESTART]
    assert lost, "no actor ran on the host that was removed"
    assert json.dumps(lost).count("munchausen: host") == len(lost)
    assert read_evaluations(directory)[-1].grid == 9000
