"""What `munchausen doctor` finds out about one part of the machine."""

from typing import NamedTuple


class Check(NamedTuple):
    """One finding about the machine.

    Attributes:
        name: of the checked part.
        detail: the finding.
        mend: how to fix the problem; empty if there is none.
    """

    name: str
    detail: str
    mend: str = ""
