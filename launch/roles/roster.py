"""Who takes part in a run, and how far each member is."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Member(NamedTuple):
    """A role that has joined the run.

    Attributes:
        life: number of the life in which it joined, from 0.
        reports: that it has made in this life.
        steps: actor steps that it has reported in all its lives.
    """

    life: int = 0
    reports: int = 0
    steps: int = 0


class Roster(NamedTuple):
    """The state of a run, as the coordinator knows it.

    Attributes:
        steps: of the run.
        members: by name; a remote caller receives plain tuples.
        ended: names of those that have done their work.
    """

    steps: int = 0
    members: Mapping[str, Member] = MappingProxyType({})
    ended: tuple[str, ...] = ()

    def has_reported(self, name: str, life: int) -> bool:
        """Whether a member has reported anything in this life."""
        member = Member(*self.members.get(name, ()))
        return member.life == life and member.reports > 0
