"""Runs a Launchpad program on a Ray cluster: one Ray actor supervises each role.

Ray places and watches; experience, parameters and counts go through Reverb and Courier,
as on one machine. The program starts in two phases. First Ray places the roles that
other roles call, and each of them reserves its ports. Then the launcher binds all
addresses and sends each role what it runs. A role that is started again gets the same
bytes, since no role that is called is ever started again.
"""

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import launchpad as lp
from launchpad.nodes.python.local_multi_processing import PythonProcess
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from launch.cluster import Cluster
from launch.engines import (
    calls,
    payload,
    placement,
    process,
    ray_cluster,
    ray_places,
    role_table,
)
from launch.engines.program import NO_GPU, Node
from launch.engines.ray_handle import RayHandle
from launch.engines.ray_role import Order
from launch.engines.supervisor import Rules, Supervisor

# Variables of the launcher that change what a role does, wherever it runs.
_SENT = (
    "GRPC_",
    "HDF5_",
    "JAX_",
    "MKL_",
    "MUJOCO_",
    "MUNCHAUSEN_",
    "NPROC",
    "OMP_",
    "OPENBLAS_",
    "PYTHONWARNINGS",
    "TF_",
    "WANDB_",
    "XLA_",
)


def launch(
    program: lp.Program,
    nodes: Sequence[Node],
    resources: Mapping[str, PythonProcess],
    directory: Path,
    rules: Rules,
    cluster: Cluster,
    *,
    arguments: Sequence[str] = (),
) -> None:
    """Runs a program to its end.

    Args:
        program: the Launchpad program, with a group for each node.
        nodes: the nodes of the program.
        resources: environment variables of each role.
        directory: where logs go, one file for each role.
        rules: for the supervisor.
        cluster: where the roles run.
        arguments: Launchpad flags for every process.

    Raises:
        Unfit: the cluster lets the program not run.
        RoleFailed: a role died for good.
        Interrupted: a signal ended the program early.
    """
    directory.mkdir(parents=True, exist_ok=True)
    actors = placement.actors_to_begin(nodes, rules.at_least, cluster.elastic)
    needed = placement.cpus(nodes, actors)
    with ray_cluster.connected(cluster.address, needed) as connection:
        placement.check_cpus(nodes, actors, connection.hosts)
        placed = ray_places.Placed(nodes, cluster, connection, rules)
        try:
            made = payload.make(program, placed.reserve(program, cluster.port_range()))
            flags = {
                node.role: (resources[node.role].env, [*arguments]) for node in nodes
            }
            starter = Starter(placed, made, flags, directory)
            address = program.groups["coordinator"][0].courier_address.resolve()
            link = calls.CoordinatorLink(address)
            supervisor = Supervisor(starter.start, link, rules)
            table = calls.CoordinatorLink(address)  # for its thread only
            with (
                contextlib.closing(link),
                role_table.kept(rules.directory, supervisor.roles, table),
            ):
                supervisor.run(nodes)
        finally:
            placed.close()


class Starter:
    """Starts the lives of the roles of one program."""

    def __init__(
        self,
        placed: ray_places.Placed,
        made: Mapping[str, list[bytes]],
        settings: Mapping[str, tuple[Mapping[str, Any], list[str]]],
        directory: Path,
    ):
        """Starts nothing yet.

        Args:
            placed: the roles that have a place.
            made: the bytes of each replica of each role.
            settings: environment variables and flags of each role.
            directory: where logs go.
        """
        self._placed = placed
        self._made = made
        self._settings = settings
        self._directory = directory
        self._names = {host.key: host.name for host in placed.connection.hosts}

    def start(self, node: Node, index: int, life: int) -> RayHandle:
        """Starts one life of a role; a `launch.engines.supervisor.Start`."""
        variables, flags = self._settings[node.role]
        if placement.gpus(node, self._placed.places):
            variables = {
                name: value for name, value in variables.items() if name not in NO_GPU
            }
        order = Order(
            work=os.getcwd(),
            payload=self._made[node.role][index],
            entry=payload.ENTRY,
            arguments=flags,
            variables=sent(os.environ)
            | {name: str(value) for name, value in variables.items()}
            | {process.LIFE: str(life)},
            accelerators=node.accelerators,
        )
        actor = self._placed.actors.get((node.role, index))
        if actor is None:
            actor = ray_places.make_actor(
                self._placed.connection.root, node.cpus, 0.0, self._strategy(node)
            )
        log = self._directory / f"{node.role}-{index}.log"
        return RayHandle(actor, order, log, self._name)

    def _strategy(self, node: Node) -> Any:
        """Where a role that may be started again should run: anywhere by default."""
        if node.role in self._placed.kept:
            return self._placed.kept[node.role]
        host = self._placed.places.get((node.role, 0))
        if host is None:
            return "SPREAD"
        return NodeAffinitySchedulingStrategy(host.key, soft=True)

    def _name(self, key: str) -> str:
        """The name of a host, which may have joined since the program started."""
        if key not in self._names:
            self._names |= {each.key: each.name for each in ray_cluster.hosts()}
        return self._names.get(key, key)


def sent(own: Mapping[str, str]) -> dict[str, str]:
    """The variables of the launcher that its roles need."""
    return {name: value for name, value in own.items() if name.startswith(_SENT)}
