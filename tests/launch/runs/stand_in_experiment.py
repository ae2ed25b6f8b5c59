"""Dataclasses that stand in for an experiment and its parts."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Network:
    hidden: tuple[int, ...] = (7, 5)
    activation: str | None = None


@dataclass(frozen=True)
class Sea:
    depth: float = 3.0


@dataclass(frozen=True)
class Fake:
    """Stands in for an Experiment: only `name` and `seed` matter here."""

    name: str = "mdqn/sea"
    seed: int = 3
    network: Network = Network()
    place: Sea = Sea()
