"""`munchausen list`: lists the experiments, figures and computations."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from experiments import flags
from experiments.flags import OverrideError

if TYPE_CHECKING:  # otherwise late: mistakes are reported before numpy loads
    from experiments.catalogue.experiments import Named
    from experiments.catalogue.figure import Figure

HELP = """\
usage: munchausen list [<word> ...]

Lists the names that `train` takes: experiments, figures of papers (all of their
variants and seeds), and computed figures. With words: only names with all words."""

_Row = tuple[str, ...]
Value = TypeVar("Value")


def main(arguments: Sequence[str]) -> int:
    """Prints a table for each kind of name.

    Raises:
        OverrideError: no name contains all of the words.
    """
    words, _ = flags.read(arguments, {})
    from experiments.names import COMPUTATIONS, FIGURES, NAMED

    known = [*NAMED, *FIGURES, *COMPUTATIONS]
    tables: list[list[_Row]] = [
        [
            ("experiment", "agent", "environment", "steps", ""),
            *map(_experiment, _chosen(NAMED, words)),
        ],
        [
            ("figure", "variants", "seeds", "steps", ""),
            *map(_figure, _chosen(FIGURES, words)),
        ],
        [
            ("computation", ""),
            *((one.name, one.description) for one in _chosen(COMPUTATIONS, words)),
        ],
    ]
    shown = ["\n".join(flags.align(table)) for table in tables if len(table) > 1]
    if not shown:
        closest = flags.nearest(words[-1], known)
        raise OverrideError(
            f"no name contains {' and '.join(words)}; did you mean {closest!r}?"
        )
    print("\n\n".join(shown))
    return 0


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
        f"{figure.task.steps:,}",
        figure.description,
    )
