"""A program as data: its roles, and what each engine makes of them."""

import threading
import time

import pytest

from launch import build
from launch.engines import program
from launch.engines.launchpad_engine import OrderedStop, make_program
from launch.engines.program import Node
from launch.roles.context import Run


@pytest.fixture
def run(catch, tmp_path):
    experiment = catch({"actors": 3})
    return Run(experiment, tmp_path, build.spec_of(experiment), frame_stack=1)


def by_role(run):
    return {node.role: node for node in program.make(run)}


def test_a_run_that_acts_has_five_roles(run):
    nodes = by_role(run)
    assert list(nodes) == ["replay", "coordinator", "learner", "actor", "evaluator"]
    assert nodes["actor"].names() == ["actor/0", "actor/1", "actor/2"]
    assert nodes["learner"].names() == ["learner"]
    assert [role for role, node in nodes.items() if node.accelerators] == ["learner"]
    assert [role for role, node in nodes.items() if node.finishes] == ["coordinator"]


def test_a_run_that_learns_from_a_dataset_has_neither_replay_nor_actors(run):
    offline = run.experiment.__class__(**vars(run.experiment) | {"dataset": "x.hdf5"})
    nodes = by_role(run._replace(experiment=offline))
    assert list(nodes) == ["coordinator", "learner", "evaluator"]
    assert not any(node.addresses for node in nodes.values())


def test_a_role_starts_after_those_it_calls_and_stops_before_them(run):
    nodes, started = by_role(run), list[str]()
    for role, node in nodes.items():
        for other in (*node.calls, *node.addresses):
            assert other in started and nodes[other].stops > node.stops, (role, other)
            assert nodes[other].serves if other in node.calls else nodes[other].listens
        started.append(role)


@pytest.mark.launchpad
def test_launchpad_gets_a_group_for_each_node(run):
    made = make_program(run, program.make(run))
    sizes = {role: len(nodes) for role, nodes in made.groups.items()}
    expected = {"replay": 1, "coordinator": 1, "learner": 1, "actor": 3, "evaluator": 1}
    assert sizes == expected


@pytest.mark.launchpad
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


@pytest.mark.launchpad
def test_a_thread_that_does_not_end_holds_the_others_up_for_its_patience_only():
    nodes = [
        Node("replay", make=None, stops=2),
        Node("actor", make=None, stops=1, patience=0.1, replicas=1),
    ]
    stops, whole = OrderedStop(nodes), threading.Event()
    stops.join("actor/0", whole)
    whole.set()
    assert stops.join("replay", whole).wait(20)
