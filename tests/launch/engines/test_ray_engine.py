"""What the Ray engine sends to a life of a role; Ray is made up."""

from types import SimpleNamespace

import pytest

pytest.importorskip("ray", reason="the extra `cluster` is not installed")

from launch.engines import process, ray_engine
from launch.engines.placement import Host
from launch.engines.program import Node
from launch.engines.ray_cluster import Connection
from launch.engines.restarts import Budget

FAR = Host("ab" * 28, "far", "10.0.0.3", 5.0, 0.0)
ACTORS = Node("actor", make=None, stops=1, replicas=3, restarts=Budget())
LEARNER = Node("learner", make=None, stops=3, accelerators=True)
EVALUATOR = Node("evaluator", make=None, stops=2, restarts=Budget())


@pytest.fixture
def starter(monkeypatch, tmp_path):
    """A starter; `made` and `orders` hold the actors that it made, and its orders."""
    orders, made = [], []

    def handle(actor, order, log, where):
        orders.append(order)
        return SimpleNamespace(actor=actor, log=log, where=where)

    def actor(root, cpus, gpus, strategy):
        made.append((cpus, gpus, strategy))
        return f"new {len(made)}"

    monkeypatch.setattr(ray_engine, "RayHandle", handle)
    monkeypatch.setattr(ray_engine.ray_places, "make_actor", actor)
    placed = SimpleNamespace(
        connection=Connection([FAR], "ab" * 28, "", ""),
        actors={("learner", 0): "reserved"},
        places={("learner", 0): FAR, ("evaluator", 0): FAR},
        kept={},
    )
    payloads = {"learner": [b"l"], "actor": [b"a", b"b", b"c"], "evaluator": [b"e"]}
    settings = {role: ({"JAX_PLATFORMS": "cpu"}, ["--x"]) for role in payloads}
    starter = ray_engine.Starter(placed, payloads, settings, tmp_path)
    return SimpleNamespace(
        start=starter.start,
        orders=orders,
        made=made,
        places=placed.places,
        kept=placed.kept,
    )


def test_a_role_that_is_called_runs_where_its_ports_are(starter):
    handle = starter.start(LEARNER, 0, 0)
    assert (handle.actor, handle.log.name) == ("reserved", "learner-0.log")
    assert starter.orders[0].accelerators and starter.orders[0].payload == b"l"
    assert handle.where("ab" * 28) == "far"


@pytest.mark.parametrize(("gpus", "platforms"), [(0.0, "cpu"), (2.0, None)])
def test_learners_on_hosts_with_gpus_may_use_them(
    starter, gpus, platforms, monkeypatch
):
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    starter.places["learner", 0] = FAR._replace(gpus=gpus)
    starter.start(LEARNER, 0, 0)
    assert starter.orders[0].variables.get("JAX_PLATFORMS") == platforms


def test_every_life_of_an_actor_has_a_new_place_and_its_number(starter):
    lives = [starter.start(ACTORS, 1, life) for life in (0, 1)]
    assert [life.actor for life in lives] == ["new 1", "new 2"]
    assert starter.made == [(1.0, 0.0, "SPREAD")] * 2
    assert [order.payload for order in starter.orders] == [b"b", b"b"]
    numbers = [order.variables[process.LIFE] for order in starter.orders]
    assert numbers == ["0", "1"]
    assert starter.orders[0].variables["JAX_PLATFORMS"] == "cpu"


def test_a_placed_evaluator_goes_elsewhere_if_its_host_is_lost(starter):
    starter.start(EVALUATOR, 0, 0)
    [(_, _, strategy)] = starter.made
    assert (strategy.node_id, strategy.soft) == ("ab" * 28, True)


def test_every_life_of_an_evaluator_has_the_place_that_is_kept(starter):
    starter.kept["evaluator"] = "its bundle"
    for life in (0, 1):
        starter.start(EVALUATOR, 0, life)
    assert [strategy for _, _, strategy in starter.made] == ["its bundle"] * 2


def test_only_variables_of_the_libraries_are_sent():
    own = {"PATH": "/bin", "RAY_X": "1", "XLA_FLAGS": "f", "NPROC": "1", "HOME": "/h"}
    assert ray_engine.sent(own) == {"XLA_FLAGS": "f", "NPROC": "1"}
