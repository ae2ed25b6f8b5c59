"""Mappings whose values are made when they are asked for.

Naming one experiment then neither builds all others nor imports what they need.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

Value = TypeVar("Value")


class Lazy(Mapping[str, Value]):
    """Values by name, each made when it is first asked for, and then kept.

    Args:
        makers: makes the value of each name.
    """

    def __init__(self, makers: Mapping[str, Callable[[], Value]]):
        self._makers = makers
        self._made: dict[str, Value] = {}

    def __getitem__(self, name: str) -> Value:
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._makers

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


class Joined(Mapping[str, Value]):
    """Several mappings as one, in their order; their names differ.

    Args:
        parts: the mappings.
    """

    def __init__(self, *parts: Mapping[str, Value]):
        self._parts = parts

    def __getitem__(self, name: str) -> Value:
        for part in self._parts:
            if name in part:
                return part[name]
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return any(name in part for part in self._parts)

    def __iter__(self) -> Iterator[str]:
        for part in self._parts:
            yield from part

    def __len__(self) -> int:
        return sum(map(len, self._parts))
