"""`munchausen list`: lists the experiments, figures, grids and computations."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from experiments import flags
from experiments.flags import OverrideError

if TYPE_CHECKING:  # otherwise late: mistakes are reported before numpy loads
    from experiments.catalogue.experiments import Named
    from experiments.catalogue.figure import Figure
    from experiments.catalogue.grid import Grid

HELP = """\
usage: munchausen list [<word> ...] [--all] [--plugin MODULE,...]

Prints an overview of what `train` takes: agents, environments, suites of environments,
figures of papers (all of their variants and seeds), and computed figures. With words: a
line for each name that has all of the words, and each suite with such a task.

  --all     a line for each name
  --plugin  modules of yours, each with a REGISTRY of agents"""

_Row = tuple[str, ...]
Value = TypeVar("Value")


@dataclass(frozen=True)
class Options:
    """Flags of `list`; its arguments are words.

    Attributes:
        all: whether to print a line for each name.
        plugin: modules of a user, each with a `REGISTRY` of agents.
    """

    all: bool = False
    plugin: tuple[str, ...] = ()


def main(arguments: Sequence[str]) -> int:
    """Prints the overview, or a table for each kind of name.

    Raises:
        OverrideError: no name contains all of the words, or a plugin is broken.
    """
    words, values = flags.read(arguments, flags.fields(Options()))
    options = flags.replace(Options(), values, "--")
    from experiments.catalogue import user_agents

    user_agents.choose(options.plugin)
    for problem in user_agents.installed().problems.values():
        print(f"munchausen: {problem}", file=sys.stderr)
    if words or options.all:
        print(_lines(words))
        return 0
    from experiments.verbs import overview

    print(overview.overview())
    return 0


def _lines(words: Sequence[str]) -> str:
    """A table for each kind of name, of the names with all words.

    Raises:
        OverrideError: there is no such name.
    """
    from experiments.catalogue.suites import SUITES
    from experiments.names import COMPUTATIONS, FIGURES, GRIDS, NAMED

    suites = {f"suite/{name}_<agent>": suite for name, suite in SUITES.items()}
    tables: list[list[_Row]] = [
        [
            ("experiment", "agent", "environment", "steps", ""),
            *map(_experiment, _chosen(NAMED, words)),
        ],
        [
            ("figure", "variants", "seeds", "steps", ""),
            *map(_figure, _chosen(FIGURES, words)),
        ],
        [("grid", "sweeps", "seeds", ""), *map(_grid, _chosen(GRIDS, words))],
        [
            ("suite", "tasks", "seeds", ""),
            *(
                (name, str(len(suite.tasks)), str(suite.seeds), suite.description)
                for name, suite in suites.items()
                if all(word in " ".join([name, *suite.tasks]) for word in words)
            ),
        ],
        [
            ("computation", ""),
            *((one.name, one.description) for one in _chosen(COMPUTATIONS, words)),
        ],
    ]
    shown = ["\n".join(flags.align(table)) for table in tables if len(table) > 1]
    if not shown:
        raise OverrideError(
            f"no name contains {' and '.join(words)}"
            + _hint(words, [*NAMED, *FIGURES, *GRIDS, *suites, *COMPUTATIONS])
        )
    return "\n\n".join(shown)


def _hint(words: Sequence[str], known: Sequence[str]) -> str:
    """What to search instead: a name, or a half of one, that is near to a word."""
    halves = dict.fromkeys(half for name in known for half in name.split("/"))
    unknown = [word for word in words if not any(word in name for name in known)]
    for word in unknown:
        return flags.did_you_mean(word, [*halves, *known], "`list` prints an overview")
    return ": remove a word"


def _chosen(known: Mapping[str, Value], words: Iterable[str]) -> list[Value]:
    return [known[name] for name in known if all(word in name for word in words)]


def _experiment(named: "Named") -> _Row:
    environment = named.task.environment
    settings = flags.fields(environment.config()).values()
    return (
        named.name,
        named.agent_name,
        " ".join(
            [
                environment.kind,
                *(flags.show(each.value) for each in settings if each.value),
            ]
        ),
        f"{named.task.steps:,}",
        named.description,
    )


def _figure(figure: "Figure") -> _Row:
    return (
        figure.name,
        str(len(figure.variants)),
        str(figure.seeds),
        f"{figure.steps:,}",
        figure.description,
    )


def _grid(grid: "Grid") -> _Row:
    return (
        grid.name,
        str(len(grid.experiments)),
        grid.flags["seeds"],
        grid.description,
    )
