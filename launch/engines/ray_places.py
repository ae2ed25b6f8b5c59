"""Places the roles of a program on a Ray cluster, before the program starts."""

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import launchpad as lp
import ray
from ray import exceptions
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from launch.cluster import Cluster
from launch.engines import placement
from launch.engines.placement import Host
from launch.engines.program import Node
from launch.engines.ray_cluster import Connection
from launch.engines.ray_role import RayRole
from launch.engines.supervisor import Rules
from launch.surroundings import Unfit

_PLACE_SECONDS = 120.0
_ANSWER_SECONDS = 60.0


class Placed:
    """The places that a program keeps until its end.

    A role that Ray never starts again gets its Ray actor at once. The evaluator may be
    started again, so its place stays reserved: an actor that waits cannot take it.
    """

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
        self.kept: dict[str, Any] = {}  # strategies by role, see `Starter`
        self._group: Any = None
        fixed = [
            (node, index)
            for node in nodes
            if node.restarts is None
            for index in range(len(node.names()))
        ]
        self._place(fixed, [node for node in nodes if self._keeps(node)])
        self._check_directory(rules.directory)

    def _keeps(self, node: Node) -> bool:
        alone = node.restarts is not None and node.replicas is None
        return alone and (node.role, 0) not in self.places

    def _place(self, fixed: Sequence[tuple[Node, int]], free: Sequence[Node]) -> None:
        """Reserves places on the hosts of some roles, and anywhere for others."""
        bundles = []
        for node, index in fixed:
            host = self.places[node.role, index]
            wanted = {"CPU": node.cpus, "GPU": placement.gpus(node, self.places)}
            bundle = {name: amount for name, amount in wanted.items() if amount}
            bundles.append(bundle | {f"node:{host.address}": 0.001})
        bundles += [{"CPU": node.cpus} for node in free]
        self._group = placement_group(bundles, strategy="SPREAD")
        if not self._group.wait(_PLACE_SECONDS):
            texts = [
                f"{node.role} on {self.places[node.role, index].name}"
                for node, index in fixed
            ]
            texts += [f"{node.role} on any host" for node in free]
            raise Unfit(
                f"Ray must place {', '.join(texts)} within {_PLACE_SECONDS:g} s, but "
                "has not: other programs may use the cluster",
                "try again later, or name other hosts with --place",
            )
        for place, (node, index) in enumerate(fixed):
            self.actors[node.role, index] = make_actor(
                self.connection.root,
                node.cpus,
                placement.gpus(node, self.places),
                self._in_group(place),
            )
        for place, node in enumerate(free, start=len(fixed)):
            self.kept[node.role] = self._in_group(place)

    def _in_group(self, place: int) -> Any:
        return PlacementGroupSchedulingStrategy(
            self._group, placement_group_bundle_index=place
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
            for replica, host in needing.items():
                actor = self.actors[replica]
                asked = actor.check_directory.remote(str(directory), file.name)
                self._check_answer(replica[0], host, directory, token, asked)
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
