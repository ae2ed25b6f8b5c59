"""Flags of `train` that describe a cluster, and what they must fit."""

from collections.abc import Sequence

from experiments.flags import OverrideError
from launch.cluster import Cluster, split_actors
from launch.experiment import Mode


def check(cluster: Cluster, launch: Mode | None, guarded: bool = False) -> None:
    """Refuses flags of a cluster for a run without one.

    Args:
        cluster: where the program runs.
        launch: how it is started.
        guarded: whether the user has said that a firewall guards the ports.

    Raises:
        ValueError: the run is not started with `--launch ray`, or joins no cluster.
    """
    if guarded and not cluster.address:
        raise ValueError(
            "--i_have_a_firewall is for --address, which joins a cluster: add that, or "
            "remove this"
        )
    given = [name for name, value in vars(cluster).items() if value]
    if given and launch != "ray":
        flag = "actors LOW..HIGH" if cluster.elastic else given[0]
        raise ValueError(f"--{flag} is for --launch ray: add that, or remove this")


def elastic(arguments: Sequence[str]) -> list[str]:
    """A command line in which `--actors LOW..HIGH` is HIGH, and at least LOW.

    Raises:
        OverrideError: the bounds are wrong.
    """
    found = list(arguments)
    for place, argument in enumerate(found):
        flag, equals, text = argument.partition("=")
        if flag != "--actors":
            continue
        if not equals:
            text = found[place + 1] if place + 1 < len(found) else ""
        try:
            bounds = split_actors(text)
        except ValueError as error:
            raise OverrideError(f"--{error}") from error
        if bounds is not None:
            low, high = bounds
            until = place + 1 + (not equals)
            bound = f"--actors_at_least={low}"
            found[place:until] = [f"--actors={high}", bound, "--elastic=true"]
            return found
    return found


def refuse_public(address: str, allowed: bool) -> None:
    """Refuses to join a cluster from a host with a public address.

    Args:
        address: of the cluster; empty: the program has this machine only.
        allowed: whether the user has said that a firewall guards the ports.

    Raises:
        Unfit: an address of this host is public, and the user has not said so.
    """
    if address:
        from launch import reach  # other runs join no cluster

        reach.refuse_public(reach.own_addresses(), allowed)
