"""Decides where the roles of a program run."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from launch.engines.program import Node
from launch.surroundings import Unfit


class Host(NamedTuple):
    """A host of a cluster.

    Attributes:
        key: what the cluster calls it.
        name: its host name.
        address: through which the other hosts reach it.
        cpus: that the cluster may use there.
        gpus: likewise.
    """

    key: str
    name: str
    address: str
    cpus: float
    gpus: float


# A replica of a role: the role's name, and the replica's index.
Replica = tuple[str, int]


def choose(
    nodes: Sequence[Node],
    wanted: Mapping[str, Sequence[str]],
    hosts: Sequence[Host],
    own: str,
) -> dict[Replica, Host]:
    """The host of each role that has one: all roles that are never started again.

    By default they run on the launcher's host, so that no other host needs the run
    directory. The replay runs where the first learner does.

    Args:
        nodes: of the program.
        wanted: names or addresses of the hosts that a user chose, by role: one, or one
            for each replica.
        hosts: of the cluster.
        own: key of the launcher's host.

    Raises:
        Unfit: the cluster lacks a host that the user named, or the user named neither
            one host for a role nor one for each of its replicas.
    """
    [here] = [host for host in hosts if host.key == own]
    given = {
        role: [_find(role, text, hosts) for text in texts]
        for role, texts in wanted.items()
    }
    if "learner" in given:
        given.setdefault("replay", given["learner"][:1])
    chosen = {}
    for node in nodes:
        if node.restarts is None or node.role in given:
            places = given.get(node.role, [here])
            number = len(node.names())
            if len(places) not in (1, number):
                raise Unfit(
                    f"--place must name one host for all {node.role}s, or one for each "
                    f"of {number}, got {len(places)}",
                    f"give --place {node.role}=HOST once, or {number} times",
                )
            for index in range(number):
                chosen[node.role, index] = places[index % len(places)]
    return chosen


def _find(role: str, text: str, hosts: Sequence[Host]) -> Host:
    found = [host for host in hosts if text in (host.name, host.address)]
    if not found:
        names = ", ".join(f"{host.name} ({host.address})" for host in hosts)
        raise Unfit(
            f"--place {role}={text} must name a host of the cluster, which has {names}",
            "choose one of these, or start Ray on that host",
        )
    return found[0]


def gpus(node: Node, places: Mapping[Replica, Host]) -> float:
    """GPUs for each replica of a role: all of its host.

    If two learners share a host, all learners compute on the CPU: JAX connects devices
    of one kind only.

    Args:
        node: the role.
        places: the host of each replica, see `choose`.

    Raises:
        Unfit: the hosts of the learners do not have equally many GPUs.
    """
    hosts = [host for (role, _), host in places.items() if role == node.role]
    shared = len({host.key for host in hosts}) < len(hosts)
    if not node.accelerators or shared:
        return 0.0
    least, most = min(host.gpus for host in hosts), max(host.gpus for host in hosts)
    if least < most:
        raise Unfit(
            "hosts of learners must have equally many GPUs, but "
            + ", ".join(f"{host.name} has {host.gpus:g}" for host in hosts),
            "choose others with --place, or start Ray there with --num-gpus",
        )
    return least


def cpus(nodes: Sequence[Node], actors: int) -> float:
    """CPUs for a program with some of its actors.

    Args:
        nodes: of the program.
        actors: how many of a role with several replicas run; at most all.
    """
    total = 0.0
    for node in nodes:
        count = len(node.names())
        total += node.cpus * (min(count, actors) if _varies(node) else count)
    return total


def actors_to_begin(nodes: Sequence[Node], at_least: int, elastic: bool) -> int:
    """Number of actors for which a cluster must have room when the program starts.

    Args:
        nodes: of the program.
        at_least: number of actors without which the run ends.
        elastic: whether the run may begin with so few.
    """
    if elastic:
        return at_least
    return max((len(node.names()) for node in nodes if _varies(node)), default=0)


def check_cpus(nodes: Sequence[Node], at_least: int, hosts: Sequence[Host]) -> None:
    """Refuses a cluster that is too small for the program.

    Args:
        nodes: of the program.
        at_least: number of actors without which it does not start.
        hosts: of the cluster.

    Raises:
        Unfit: the cluster has too few CPUs.
    """
    needed, there = cpus(nodes, at_least), sum(host.cpus for host in hosts)
    if there < needed:
        raise Unfit(
            f"the cluster must have {needed:g} CPUs for {at_least} actors and the "
            f"other roles, it has {there:g}",
            "give a smaller --actors, or LOW..HIGH, or start Ray on more hosts; "
            "`ray start --num-cpus` overrides what Ray counts",
        )


def _varies(node: Node) -> bool:
    return node.replicas is not None and node.restarts is not None


def need_directory(places: Mapping[Replica, Host], own: str) -> dict[Replica, Host]:
    """The roles on other hosts that need the run directory, with their hosts."""
    writers = ("coordinator", "learner", "replay")
    return {
        replica: host
        for replica, host in places.items()
        if replica[0] in writers and host.key != own
    }
