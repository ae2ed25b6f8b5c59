"""The description of a program: its roles, their order and their calls."""

import dataclasses

import pytest

from launch.engines import program
from launch.roles.coordinator import Coordinator
from tests.launch.roles.fake_context import FakeContext
from tests.launch.roles.made_up_program import agent_of


def by_role(run):
    return {node.role: node for node in program.make(run)}


def test_a_run_that_acts_has_five_roles(run):
    nodes = by_role(run)
    assert list(nodes) == ["replay", "coordinator", "learner", "evaluator", "actor"]
    assert nodes["actor"].names() == ["actor/0", "actor/1", "actor/2"]
    assert nodes["learner"].names() == ["learner"]
    assert [role for role, node in nodes.items() if node.accelerators] == ["learner"]
    assert [role for role, node in nodes.items() if node.finishes] == ["coordinator"]


def test_a_run_that_learns_from_a_dataset_has_neither_replay_nor_actors(run):
    offline = run.experiment.__class__(**vars(run.experiment) | {"dataset": "x.hdf5"})
    nodes = by_role(run._replace(experiment=offline))
    assert list(nodes) == ["coordinator", "learner", "evaluator"]
    assert not any(node.addresses for node in nodes.values())


def test_a_role_starts_after_the_roles_it_calls_and_stops_before_them(run):
    nodes, started = by_role(run), list[str]()
    for role, node in nodes.items():
        for other in (*node.calls, *node.addresses):
            assert other in started and nodes[other].stops > node.stops, (role, other)
            assert nodes[other].serves if other in node.calls else nodes[other].listens
        started.append(role)


def test_the_coordinator_serves_public_methods_and_the_learner_its_parameters(run):
    nodes = by_role(run)
    public = {
        name
        for name, method in vars(Coordinator).items()
        if not name.startswith("_") and callable(method)
    }
    assert set(nodes["coordinator"].serves) == public - {"run"}
    assert nodes["learner"].serves == ("get_variables",)
    assert not nodes["actor"].serves and not nodes["evaluator"].serves


def test_several_learners_and_replays_are_replicas_with_servers(run):
    experiment = dataclasses.replace(run.experiment, learners=2, replays=3)
    nodes = by_role(run._replace(experiment=experiment))
    assert nodes["learner"].names() == ["learner/0", "learner/1"]
    assert nodes["replay"].names() == ["replay/0", "replay/1", "replay/2"]
    assert nodes["learner"].listens, "the first one tells the others how to connect"
    assert not by_role(run)["learner"].listens


@pytest.mark.parametrize("index", [0, 1])
def test_the_first_learner_leads_and_the_others_follow(run, monkeypatch, index):
    made = []
    for kind in ("LearnerRole", "LearnerRank"):
        monkeypatch.setattr(
            f"launch.roles.learner_role.{kind}",
            lambda run, context, make_replay, kind=kind: made.append(kind),
        )
    context = FakeContext(f"learner/{index}")
    by_role(run)["learner"].make(run, context)
    assert made == [["LearnerRole"], ["LearnerRank"]][index]


def test_a_learner_reads_all_servers_and_an_actor_writes_to_its_own(run, monkeypatch):
    experiment = dataclasses.replace(run.experiment, learners=2, replays=3)
    run = run._replace(experiment=experiment)
    batches = program._reverb_batches(run, agent_of(run), FakeContext("learner"), None)
    assert batches.source._addresses == ["replay:1", "replay:2", "replay:3"]
    assert batches.source._learners == 2
