"""Where the roles of a program run: the cluster, as a user describes it."""

import re
from dataclasses import dataclass

# Roles that a user can place; actors go wherever there is room.
PLACED = ("learner", "replay", "coordinator", "evaluator")
_LOWEST_PORT, _HIGHEST_PORT = 1024, 65535


@dataclass(frozen=True)
class Cluster:
    """The Ray cluster of a program; no part of the experiment.

    Attributes:
        address: of the cluster, `host:port`; `auto`: the one that this machine belongs
            to; empty: Ray is started on this machine, for this program only.
        place: hosts of roles, each as `role=host`; of several learners one each, or one
            for all.
        ports: ports for the roles that other roles call, as `LOW-HIGH`; empty: any.
        elastic: whether the program begins with as many actors as it needs at least.
    """

    address: str = ""
    place: tuple[str, ...] = ()
    ports: str = ""
    elastic: bool = False

    def __post_init__(self) -> None:
        self.hosts()
        self.port_range()
        if "://" in self.address:
            raise ValueError(
                f"address must be host:port or auto, got {self.address!r}: start the "
                "program on a host of the cluster, not through a Ray client"
            )

    def hosts(self) -> dict[str, tuple[str, ...]]:
        """The hosts that a user chose for each role; several only for learners.

        Raises:
            ValueError: an entry is not `role=host`.
        """
        chosen: dict[str, tuple[str, ...]] = {}
        for entry in self.place:
            role, _, host = entry.partition("=")
            again = role in chosen and role != "learner"
            if role not in PLACED or not host or again:
                raise ValueError(
                    f"place must be role=HOST with a role of {', '.join(PLACED)}, each "
                    f"once, or once for each learner, got {entry!r}"
                )
            chosen[role] = (*chosen.get(role, ()), host)
        return chosen

    def port_range(self) -> tuple[int, int]:
        """The lowest and the highest port; zeros: any.

        Raises:
            ValueError: it is no range of ports.
        """
        if not self.ports:
            return 0, 0
        found = re.fullmatch(r"(\d+)-(\d+)", self.ports)
        low, high = map(int, found.groups()) if found else (0, 0)
        if not _LOWEST_PORT <= low <= high <= _HIGHEST_PORT or high - low < 2:
            raise ValueError(
                f"ports must be LOW-HIGH, at least three ports between {_LOWEST_PORT} "
                f"and {_HIGHEST_PORT}, got {self.ports!r}"
            )
        return low, high


HERE = Cluster()


def split_actors(text: str) -> tuple[int, int] | None:
    """The bounds of `LOW..HIGH`; None if the text is no such range.

    Raises:
        ValueError: LOW is not at least 1, or HIGH is not above LOW.
    """
    found = re.fullmatch(r"(\d+)\.\.(\d+)", text)
    if found is None:
        return None
    low, high = int(found[1]), int(found[2])
    if not 1 <= low < high:
        raise ValueError(
            f"actors must be N or LOW..HIGH with 1 <= LOW < HIGH, got {text}"
        )
    return low, high
