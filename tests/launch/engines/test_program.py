"""The description of a program: its roles, their order and their calls."""

from launch.engines import program
from launch.roles.coordinator import Coordinator


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
