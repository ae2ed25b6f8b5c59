"""Nodes of a Launchpad program as bytes."""

import cloudpickle
import launchpad as lp
import pytest

from launch.engines import payload

pytestmark = pytest.mark.launchpad


class Server:
    def __init__(self, name, peer=None):
        self.name, self.peer = name, peer

    def run(self):
        pass


def test_every_replica_has_bytes_and_addresses_are_those_that_were_given():
    program = lp.Program("toy")
    with program.group("coordinator"):
        handle = program.add_node(lp.CourierNode(Server, "c"))
    with program.group("actor"):
        for index in range(3):
            program.add_node(lp.PyClassNode(Server, f"a{index}", peer=handle))
    made = payload.make(program, {("coordinator", 0): ["10.0.0.7:7123"]})
    assert {group: len(each) for group, each in made.items()} == {
        "coordinator": 1,
        "actor": 3,
    }
    [coordinator] = program.groups["coordinator"]
    assert coordinator.courier_address.resolve() == "10.0.0.7:7123"
    [[function], *_] = [cloudpickle.loads(each) for each in made["actor"]]
    assert callable(function)


def test_each_server_needs_an_address():
    program = lp.Program("toy")
    with program.group("coordinator"):
        program.add_node(lp.CourierNode(Server, "c"))
    with pytest.raises(ValueError):
        payload.make(program, {})


def test_a_fixed_address_survives_the_journey():
    address = payload.FixedAddress("[::1]:7001")
    assert cloudpickle.loads(cloudpickle.dumps(address)).build() == "[::1]:7001"
