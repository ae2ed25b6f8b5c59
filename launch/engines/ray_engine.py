"""Runs a Launchpad program on a Ray cluster: one Ray actor supervises each role.

Ray places and watches; experience, parameters and counts go through Reverb and Courier,
as on one machine. The program starts in two phases. First Ray places the roles that
other roles call, and each of them reserves its ports. Then the launcher binds all
addresses and sends each role what it runs. A role that is started again gets the same
bytes, since no role that is called is ever started again.
"""

import contextlib
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import launchpad as lp
import ray
from launchpad.nodes.python.local_multi_processing import PythonProcess
from ray import exceptions
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import (
    NodeAffinitySchedulingStrategy,
    PlacementGroupSchedulingStrategy,
)

from launch.cluster import Cluster
from launch.engines import calls, payload, placement, process, ray_cluster, role_table
from launch.engines.placement import Host
from launch.engines.program import Node
from launch.engines.ray_cluster import Connection
from launch.engines.ray_handle import RayHandle
from launch.engines.ray_role import Order, RayRole
from launch.engines.supervisor import Rules, Supervisor
from launch.surroundings import Unfit

_PLACE_SECONDS = 120.0
_ANSWER_SECONDS = 60.0
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
        placed = Placed(nodes, cluster, connection, rules)
        try:
            made = payload.make(program, placed.reserve(program, cluster.port_range()))
            flags = {
                node.role: (resources[node.role].env, [*arguments]) for node in nodes
            }
            starter = Starter(placed, made, flags, directory)
            address = program.groups["coordinator"][0].courier_address.resolve()
            link = calls.CoordinatorLink(address)
            supervisor = Supervisor(starter.start, link, rules)
            table = calls.CoordinatorLink(address)  # its thread has a line of its own
            with (
                contextlib.closing(link),
                role_table.kept(rules.directory, supervisor.roles, table),
            ):
                supervisor.run(nodes)
        finally:
            placed.close()


class Placed:
    """The roles that are never started again, each placed before the program starts."""

    def __init__(
        self,
        nodes: Sequence[Node],
        cluster: Cluster,
        connection: Connection,
        rules: Rules,
    ):
        """Reserves a place for each of them, and creates their Ray actors.

        Args:
            nodes: of the program.
            cluster: what the user chose.
            connection: to the cluster.
            rules: of the program.

        Raises:
            Unfit: the cluster is too small, or lacks a host or the run directory.
        """
        self.connection = connection
        hosts = connection.hosts
        self.places = placement.choose(nodes, cluster.hosts(), hosts, connection.own)
        self.actors: dict[tuple[str, int], Any] = {}
        self._group: Any = None
        fixed = [
            (node, index)
            for node in nodes
            if node.restarts is None
            for index in range(len(node.names()))
        ]
        self._place(fixed)
        self._check_directory(rules.directory)

    def _place(self, fixed: Sequence[tuple[Node, int]]) -> None:
        bundles = []
        for node, _ in fixed:
            host = self.places[node.role]
            wanted = {"CPU": node.cpus, "GPU": placement.gpus(node, host)}
            bundle = {name: amount for name, amount in wanted.items() if amount}
            bundles.append(bundle | {f"node:{host.address}": 0.001})
        self._group = placement_group(bundles, strategy="PACK")
        if not self._group.wait(_PLACE_SECONDS):
            texts = [
                f"{node.role} on {self.places[node.role].name}" for node, _ in fixed
            ]
            raise Unfit(
                f"Ray must place {', '.join(texts)} within {_PLACE_SECONDS:g} s, but "
                "has not: other programs may use the cluster",
                "try again later, or name other hosts with --place",
            )
        for bundle, (node, index) in enumerate(fixed):
            self.actors[node.role, index] = make_actor(
                self.connection.root,
                node.cpus,
                placement.gpus(node, self.places[node.role]),
                PlacementGroupSchedulingStrategy(
                    self._group, placement_group_bundle_index=bundle
                ),
            )

    def _check_directory(self, directory: Path) -> None:
        """Refuses a run directory that a role needs and cannot reach.

        Raises:
            Unfit: the message names host and path.
        """
        needing = placement.need_directory(self.places, self.connection.own)
        if not needing:
            return
        file = directory / f".shared-{secrets.token_hex(4)}"
        token = secrets.token_hex(16)
        file.write_text(token, encoding="utf-8")
        try:
            for (role, _), actor in self.actors.items():
                if role in needing:
                    asked = actor.check_directory.remote(str(directory), file.name)
                    self._check_answer(role, needing[role], directory, token, asked)
        finally:
            for each in directory.glob(f"{file.name}*"):
                each.unlink()

    def _check_answer(
        self, role: str, host: Host, directory: Path, token: str, asked: Any
    ) -> None:
        try:
            read, _, answer = ray.get(asked, timeout=_ANSWER_SECONDS).partition(" ")
            found = read == token and (directory / answer).is_file()
            reason = "it does not have this file system"
        except exceptions.RayTaskError as error:
            found, reason = False, str(error.cause)
        if not found:
            raise Unfit(
                f"{role} runs on {host.name} ({host.address}), which must read and "
                f"write {directory}, but cannot: {reason}",
                "give --runs on a shared file system, or start the program there",
            )

    def reserve(
        self, program: lp.Program, ports: tuple[int, int]
    ) -> dict[tuple[str, int], list[str]]:
        """Ports for each role that has a server, as `host:port`.

        Raises:
            Unfit: a host has too few free ports.
        """
        asked = {}
        for group, nodes in program.groups.items():
            for index, node in enumerate(nodes):
                if node.addresses:
                    asked[group, index] = self.actors[group, index].reserve.remote(
                        self.connection.toward, ports, len(node.addresses)
                    )
        try:
            return {key: ray.get(answer) for key, answer in asked.items()}
        except exceptions.RayTaskError as error:
            raise Unfit(
                str(error.cause.args[-1]), "give a wider range with --ports"
            ) from error

    def close(self) -> None:
        """Frees the places."""
        if self._group is not None:
            remove_placement_group(self._group)


class Starter:
    """Starts the lives of the roles of one program."""

    def __init__(
        self,
        placed: Placed,
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
            actor = make_actor(
                self._placed.connection.root, node.cpus, 0.0, self._strategy(node)
            )
        log = self._directory / f"{node.role}-{index}.log"
        return RayHandle(actor, order, log, self._name)

    def _strategy(self, node: Node) -> Any:
        """Where a role that may be started again should run: anywhere by default."""
        host = self._placed.places.get(node.role)
        if host is None:
            return "SPREAD"
        return NodeAffinitySchedulingStrategy(host.key, soft=True)

    def _name(self, key: str) -> str:
        """The name of a host, which may have joined since the program started."""
        if key not in self._names:
            self._names |= {each.key: each.name for each in ray_cluster.hosts()}
        return self._names.get(key, key)


def make_actor(root: str, cpus: float, gpus: float, strategy: Any) -> Any:
    """A Ray actor that will supervise one life of a role; Ray never starts it again."""
    return (
        ray.remote(RayRole)
        .options(
            num_cpus=cpus,
            num_gpus=gpus,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy=strategy,
        )
        .remote(root)
    )


def sent(own: Mapping[str, str]) -> dict[str, str]:
    """The variables of the launcher that its roles need."""
    return {name: value for name, value in own.items() if name.startswith(_SENT)}
