"""A program for Launchpad: a group for each node, threads that stop in order."""

import dataclasses
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from launch.engines import program
from launch.engines.launchpad_engine import OrderedStop, _environment, make_program
from launch.engines.program import Node

pytestmark = pytest.mark.launchpad

TOY = str(Path(__file__).with_name("toy_threads.py"))


def test_launchpad_gets_a_group_for_each_node(run):
    made = make_program(run, program.make(run))
    sizes = {role: len(nodes) for role, nodes in made.groups.items()}
    expected = {"replay": 1, "coordinator": 1, "learner": 1, "actor": 3, "evaluator": 1}
    assert sizes == expected


def test_threads_are_stopped_one_after_the_other():
    nodes = [
        Node("replay", make=None, stops=2, patience=30.0),
        Node("actor", make=None, stops=1, patience=30.0, replicas=2),
    ]
    stops, whole = OrderedStop(nodes), threading.Event()
    names = ("replay", "actor/0", "actor/1")
    events = {name: stops.join(name, whole) for name in names}
    assert not any(event.is_set() for event in events.values())
    whole.set()
    assert events["actor/0"].wait(20) and events["actor/1"].wait(20)
    stops.leave("actor/0")
    time.sleep(0.2)
    assert not events["replay"].is_set(), "an actor still runs"
    stops.leave("actor/1")
    assert events["replay"].wait(20)


def test_a_thread_that_does_not_end_holds_the_others_up_for_its_patience_only():
    nodes = [
        Node("replay", make=None, stops=2),
        Node("actor", make=None, stops=1, patience=0.1, replicas=1),
    ]
    stops, whole = OrderedStop(nodes), threading.Event()
    stops.join("actor/0", whole)
    whole.set()
    assert stops.join("replay", whole).wait(20)


# Anywhere in a line: Launchpad's own lines end late, after another thread has printed.
ENDED = re.compile("ended ([a-z]+)")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_second_program_of_a_process_in_order(command, number):
    command.start(TOY)
    for line in command.process.stdout:
        if "waiting" in line:
            break
    command.process.send_signal(number)
    code, out, err = command.wait(60)
    assert (code, "Traceback" in err) == (128 + number, False), err
    assert ENDED.findall(out) == ["actor", "coordinator"]


def test_no_role_waits_for_one_that_could_not_be_built(command):
    """Its patience is longer than the test may take."""
    command.start(TOY, "fails")
    code, out, err = command.wait(100)
    assert code == 1 and "no learner" in err
    assert ENDED.findall(out) == ["actor", "coordinator"]
    # Launchpad kills the process at its last alarm, and so the next program of it.
    assert "alarm in 0" in out


def test_others_call_the_first_of_several_learners(run):
    experiment = dataclasses.replace(run.experiment, learners=3, replays=2)
    run = run._replace(experiment=experiment)
    made = make_program(run, program.make(run))
    first, *others = made.groups["learner"]
    assert len(others) == 2 and len(made.groups["replay"]) == 2
    [evaluator] = made.groups["evaluator"]
    called = [handle._address for handle in evaluator.input_handles]
    assert first.courier_address in called
    assert not any(other.courier_address in called for other in others)


def test_each_of_several_replicas_listens_on_its_own_address(run):
    experiment = dataclasses.replace(run.experiment, replays=2)
    run = run._replace(experiment=experiment)
    made = make_program(run, program.make(run))
    addresses = [node.addresses for node in made.groups["replay"]]
    assert [[address.name for address in each] for each in addresses] == [
        ["replay0"],
        ["replay1"],
    ]


def test_roles_have_few_heaps_unless_the_user_chose_their_number(monkeypatch):
    node = Node("actor", make=None, stops=1)
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    assert _environment(node)["MALLOC_ARENA_MAX"] == "2"
    monkeypatch.setenv("MALLOC_ARENA_MAX", "7")
    assert "MALLOC_ARENA_MAX" not in _environment(node)


def test_several_learners_of_one_machine_compute_on_its_cpu():
    one = Node("learner", make=None, stops=1, accelerators=True)
    assert "JAX_PLATFORMS" not in _environment(one)
    assert _environment(one._replace(replicas=2))["JAX_PLATFORMS"] == "cpu"
    assert _environment(one._replace(accelerators=False))["CUDA_VISIBLE_DEVICES"] == ""


HOSTED = """
import sys
from types import SimpleNamespace
from absl import flags
from launchpad.launch import worker_manager
from launch.engines.launchpad_engine import HostedRole
from launch.engines.program import Node
flags.FLAGS(sys.argv[:1])
worker_manager.WorkerManager(register_in_thread=True)
node = Node("actor", make=lambda run, context: context, stops=1)
experiment = SimpleNamespace(name="made up", stall_seconds=600.0)
run = SimpleNamespace(experiment=experiment, grace=1.0)
HostedRole(node, 0, run, stops=None, addresses={}, clients={})
import reverb
print(reverb.Client.__module__, "tensorflow" in sys.modules, flush=True)
import os
os._exit(0)
"""


def test_a_role_that_is_a_process_imports_reverb_without_tensorflow():
    done = subprocess.run(
        [sys.executable, "-c", HOSTED], capture_output=True, text=True, timeout=100
    )
    assert done.stdout.split() == ["reverb.client", "False"], done.stderr
