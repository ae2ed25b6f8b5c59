"""`munchausen list`: what has a name."""

from collections.abc import Iterable, Sequence
from typing import Any

from experiments import flags
from experiments.flags import OverrideError

HELP = """\
usage: munchausen list [<word> ...]

Everything that `train` knows by name: experiments, figures of papers (all of their
variants and seeds), and computed figures. With words: only names that hold them all."""

_Row = tuple[str, ...]


def main(arguments: Sequence[str]) -> int:
    """Prints a table for each kind of name.

    Raises:
        OverrideError: nothing has such a name.
    """
    words, _ = flags.read(arguments, {})
    from experiments.names import COMPUTATIONS, EXPERIMENTS, FIGURES

    known = [*EXPERIMENTS, *FIGURES, *COMPUTATIONS]
    tables: list[list[_Row]] = [
        [
            ("experiment", "agent", "environment", "steps", ""),
            *map(_experiment, _chosen(EXPERIMENTS, words)),
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
            f"no experiment is named like {' '.join(words)}; nearest: {closest}"
        )
    print("\n\n".join(shown))
    return 0


def _chosen(known: dict[str, Any], words: Iterable[str]) -> list[Any]:
    return [value for name, value in known.items() if all(w in name for w in words)]


def _experiment(experiment: Any) -> _Row:
    settings = flags.fields(experiment.environment).values()
    kind = type(experiment.environment).__name__
    return (
        experiment.name,
        experiment.agent_name,
        " ".join([kind, *(flags.show(field.value) for field in settings)]),
        f"{experiment.steps:,}",
        experiment.description,
    )


def _figure(figure: Any) -> _Row:
    steps = {experiment.steps for experiment in figure.experiments.values()}
    return (
        figure.name,
        str(len(figure.experiments)),
        str(figure.seeds),
        " ".join(f"{each:,}" for each in sorted(steps)),
        figure.description,
    )
