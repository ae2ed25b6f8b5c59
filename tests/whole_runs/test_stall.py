"""Runs in which a role hangs: the watchdog ends them, with a diagnosis."""

import json
import os
import re
import signal

import pytest

from launch.roles.watchdog import FILE
from launch.runs.logs import read_evaluations
from tests.whole_runs import catch_commands

pytestmark = [pytest.mark.launchpad, pytest.mark.slow, pytest.mark.timeout(400)]

SETTINGS = "--stall_seconds 20"  # as slow as the start may be on a busy machine
SILENT = r"no progress for 20 seconds"
# Roles that are suspended, and a line of the diagnosis that follows.
HANGS = {
    "actor/0 actor/1": r"the learner waits for [1-9]\d* inserts",
    "learner": r"the actors wait for [1-9]\d* samples",
    "replay": r"the replay does not answer: ",
    "evaluator": r"no role waits for the rate limiter|the learner waits",
}


def suspend(command, roles):
    for role in roles.split():
        os.kill(command.await_role(f"munchausen {role} "), signal.SIGSTOP)


def stacks(directory):
    """The roles whose logs hold the stacks of their threads."""
    logs = {path.stem: path.read_text() for path in (directory / "logs").iterdir()}
    return {role for role, text in logs.items() if "most recent call first" in text}


def last_progress(text):
    """Seconds since the last progress of each role that the diagnosis names."""
    found = re.findall(r"^(\S+): last progress (\d+) seconds ago$", text, re.MULTILINE)
    return {role: int(seconds) for role, seconds in found}


@pytest.mark.parametrize("roles", HANGS)
def test_a_role_that_hangs_ends_the_run_and_is_found(command, roles):
    line = catch_commands.line("processes", SETTINGS)
    if roles == "evaluator":  # the other roles run to the end, and wait for it there
        line = line.replace("1000000", "5000")
    command.munchausen(line)
    directory = catch_commands.await_run(
        command, catch_commands.is_evaluated, "training"
    )
    suspend(command, roles)
    code, _, err = command.wait(120)
    assert code == 1
    assert not command.alive()
    assert "coordinator/0 died (exit code 1); its last lines, from " in err
    assert "Traceback" not in err and "did not end" not in err, err
    text = (directory / FILE).read_text()
    for said in (SILENT, HANGS[roles]):
        assert re.search(said, err) and re.search(said, text), text
    ages = last_progress(text)
    assert ages.keys() == {"learner", "actor/0", "actor/1", "evaluator"}
    # Also the suspended roles: they are woken up for it.
    others = {"replay-0", "learner-0", "evaluator-0"}
    if roles != "evaluator":  # whose absence does not stop the actors
        others |= {"actor-0", "actor-1"}
    assert stacks(directory) >= others


def test_a_coordinator_that_hangs_with_its_watchdog_ends_the_run(command):
    command.munchausen(catch_commands.line("processes", SETTINGS))
    directory = catch_commands.await_run(
        command, catch_commands.is_evaluated, "training"
    )
    suspend(command, "coordinator")
    code, _, err = command.wait(150)
    assert code == 1
    assert not command.alive()
    said = "coordinator/0 has shown no sign of life for 80 s"
    assert said in err and (directory / FILE).stat().st_size
    assert {"coordinator-0", "learner-0", "actor-0"} <= stacks(directory)


HANGING = """
import sys, threading
from experiments import cli
from launch.roles.learner import Learner

compute = Learner._compute

def hangs_here(self, batches):
    if self.learner_steps > 100:
        threading.Event().wait()
    compute(self, batches)

Learner._compute = hangs_here
sys.exit(cli.main(sys.argv[1:]))
"""


def test_a_thread_that_hangs_ends_the_run_with_its_stack(command):
    command.start("-c", HANGING, *catch_commands.line("threads", SETTINGS).split())
    code, _, err = command.wait(150)
    assert code == 1
    [path] = command.directory.glob(f"runs/*/*/*/{FILE}")
    text = path.read_text()
    assert re.search(SILENT, text) and re.search(HANGS["learner"], text)
    assert "in hangs_here" in text, "the stacks of all roles"
    assert re.search(HANGS["learner"], err)


HANGS_ONCE = """
import os, threading
import gymnasium, numpy as np, setproctitle

class Hangs(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1, 1, (3,))
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, role, after):
        self.role, self.after, self.steps = f"munchausen {role} ", after, 0

    def reset(self, *, seed=None, options=None):
        return np.zeros(3, np.float32), {}

    def step(self, action):
        self.steps += 1
        if self.steps == self.after:
            if setproctitle.getproctitle().startswith(self.role):
                hangs_here()
        return np.ones(3, np.float32), 1.0, self.steps % 10 == 0, False, {}

def hangs_here():
    try:
        os.close(os.open("hung", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    threading.Event().wait()
"""


@pytest.mark.parametrize("role, after", [("actor/1", 300), ("evaluator", 15)])
def test_a_role_whose_environment_hangs_is_started_again(role, after, command):
    (command.directory / "hangs_once.py").write_text(HANGS_ONCE)
    command.munchausen(
        "train dqn/gymnasium --environment.id hangs_once:Hangs --steps 6000 "
        f"--environment.kwargs.role {role} --environment.kwargs.after {after} "
        "--launch processes --actors 2 "
        "--agent.network.hidden 16 --agent.storage.min_size 100 --log_period 200 "
        f"--evaluation.period 2000 --evaluation.episodes 40 {SETTINGS}"
    )
    code, _, err = command.wait(200)
    assert code == 0, err
    title = role if "/" in role else f"{role}/0"
    assert f"{title} died (exit code 1) and is started again" in err
    [directory] = command.directory.glob("runs/*/*/*/")
    [row] = (directory / "events.jsonl").read_text().splitlines()
    died = json.loads(row)
    assert died["role"] == title
    assert died["line"].startswith("the environment has not returned from a step")
    log = directory / "logs" / f"{title.replace('/', '-')}.log"
    assert "in hangs_here" in log.read_text()
    grid = [row.grid for row in read_evaluations(directory)]
    assert grid[-1] == 6000 and grid == sorted(grid)
