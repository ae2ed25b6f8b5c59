"""Mappings that build a value on its first access.

Looking up one experiment then neither builds the others nor imports their modules.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

Value = TypeVar("Value")


class Lazy(Mapping[str, Value]):
    """Values by name, each built on its first access and then kept.

    Args:
        makers: the function that builds the value, by name.
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
    """Several mappings with different names as one, in their order.

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
