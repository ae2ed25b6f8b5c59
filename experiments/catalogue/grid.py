"""Grids of a paper: one sweep with named values for each of some experiments."""

from collections.abc import Mapping
from typing import NamedTuple


class Grid(NamedTuple):
    """Sweeps of some experiments over the same values.

    Attributes:
        name: `<paper>/<figure>_grid`.
        description: one line for `munchausen list`.
        experiments: names of the experiments that are swept, each on its own.
        flags: of `sweep`, by name, such as `agent.temperature: 0.1,1` or `seeds: 10`.
            The first field with several values runs upwards in the heat map.
    """

    name: str
    description: str
    experiments: tuple[str, ...]
    flags: Mapping[str, str]

    def lines(self, given: Mapping[str, str] | None = None) -> list[list[str]]:
        """The command lines of `sweep`, without the verb: one for each experiment.

        Args:
            given: flags that replace the grid's or are added to them, by name.
        """
        flags = {**self.flags, **(given or {})}
        texts = [f"--{path}={text}" for path, text in flags.items()]
        return [[name, *texts] for name in self.experiments]
