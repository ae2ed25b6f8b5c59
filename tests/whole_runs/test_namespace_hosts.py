"""A program on three hosts, each with a network: kills, a partition, ssh."""

import os
import secrets
import signal
import subprocess
import sys
import time

import pytest

import munchausen
from launch.runs import checkpoint, events, roles, run_directory
from launch.runs.logs import read_evaluations
from tests.whole_runs import catch_commands, namespace_hosts

pytest.importorskip("ray", reason="the extra `cluster` is not installed")
pytestmark = [
    pytest.mark.launchpad,
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(
        bool(namespace_hosts.missing()), reason=namespace_hosts.missing()
    ),
    # TensorFlow 2.8 is older than NumPy's deprecations.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
STEPS = 12_000


@pytest.fixture
def hosts(monkeypatch):
    """Three hosts on which nothing runs yet."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    monkeypatch.setenv("RAY_raylet_start_wait_time_s", "120")
    made = namespace_hosts.NamespaceHosts(3)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def directory_of_the_command(command, monkeypatch):
    monkeypatch.chdir(command.directory)


def start(command, hosts, *settings):
    # Roles that cannot come back fit on the first host only.
    address = namespace_hosts.start_rays(hosts, 3, 2, 2)
    line = f"{catch_commands.LINE} --launch ray --address {address}"
    words = [sys.executable, "-m", "experiments.cli", *line.split(), *settings]
    command.start(
        "-c",
        "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])",
        *hosts.inside(),
        *words,
    )
    return catch_commands.await_run(command, catch_commands.is_evaluated, "rows", 300)


def check_end(command, directory, steps=STEPS):
    """The run ends with all its steps, and with no point evaluated twice."""
    code, _, err = command.wait(900)
    assert code == 0, err
    evaluated = [row.grid for row in read_evaluations(directory)]
    assert evaluated == sorted(set(evaluated)) and evaluated[-1] == steps
    final = checkpoint.newest(directory).counts
    assert steps <= final.actor_steps < steps + 300
    storage = run_directory.read_experiment(directory).agent.storage
    inserts = final.actor_steps - storage.min_size
    owed = storage.samples_per_insert * inserts / storage.batch_size
    assert abs(final.learner_steps - owed) < 320 / 32 + 300, final


def test_a_run_on_three_hosts_outlives_its_actors(command, hosts):
    directory = start(command, hosts, "--steps", str(STEPS))
    assert len({row.host for row in roles.read(directory)}) > 1
    for role in ("actor/0", "actor/1", "evaluator"):
        os.kill(command.await_role(f"munchausen {role} "), signal.SIGKILL)
        time.sleep(5)
    check_end(command, directory)
    killed = [row["role"] for row in events.read(directory)]
    assert killed == ["actor/0", "actor/1", "evaluator/0"]


def test_a_run_outlives_a_host_that_is_cut_off(command, hosts):
    directory = start(command, hosts, "--steps", str(STEPS))
    places = {row.role: row.host for row in roles.read(directory)}
    assert places["learner"] == "host0"
    away = next(host for host in places.values() if host != "host0")
    hosts.cut_off(int(away.removeprefix("host")))
    check_end(command, directory)
    assert [row["event"] for row in events.read(directory)].count(events.RESTART) >= 1


def test_learners_on_two_hosts_are_one(command, hosts):
    """Each has a host, and both compute the same updates to the end of the run."""
    places = f"learner={hosts.host(1)},learner={hosts.host(0)}"
    settings = ["--learners", "2", "--place", places, "--steps", "4000"]
    directory = start(command, hosts, *settings)
    found = {row.role: row.host for row in roles.read(directory)}
    learners = {role: host for role, host in found.items() if "learner" in role}
    assert sorted(learners.values()) == ["host0", "host1"], found
    assert found["replay"] == "host1"  # where the first learner is
    check_end(command, directory, 4_000)


@pytest.mark.skipif(
    not os.path.exists("/usr/sbin/sshd"), reason="not installed: openssh-server"
)
def test_the_printed_script_trains_on_hosts_that_ssh_reaches(command, hosts):
    folder = command.directory
    namespace_hosts.start_ssh(hosts, 3, folder)
    names = ",".join(hosts.host(index) for index in range(3))
    words = f"cluster ssh --hosts {names} --directory {folder / 'run'} -- ".split()
    words += [*catch_commands.LINE.split(), "--steps", "3000"]
    printed = subprocess.run(
        [*munchausen.command("experiments.cli"), *words],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    (folder / "run.sh").write_text(printed)
    command.start(
        "-c",
        "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])",
        *hosts.inside(),
        f"PATH={folder}:{os.environ['PATH']}",
        "bash",
        "run.sh",
    )
    check_end(command, folder / "run", 3_000)
    assert len({row.host for row in roles.read(folder / "run")}) > 1
