"""Turns a command line of `sweep` into cells; starts and writes nothing.

A cell is one combination of values. Its experiments are those that `train` would run
with these values, so `train` checks them and names their mistakes.
"""

import dataclasses
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from experiments import flags
from experiments.flags import OverrideError
from experiments.verbs import sweep_values, train_arguments, train_names
from experiments.verbs.sweep_values import MOST, Range
from launch.experiment import Experiment
from launch.runs.run_directory import BOOKKEEPING

# Fields that cannot be swept, and what to do instead.
_REFUSED = {
    "seed": "--seeds N runs the seeds 0 to N-1 of each cell",
    "steps": "a longer run has all evaluations of a shorter one, so give the largest",
    **dict.fromkeys(BOOKKEEPING, "it changes no result, so the cells would be one"),
}


@dataclasses.dataclass(frozen=True)
class Options:
    """Flags of `sweep` that `train` does not have.

    Attributes:
        optuna: number of cells that Optuna chooses; none: every combination.
        output: CSV file of the results, with the picture next to it; none:
            sweep-<time>.csv in the folder of the experiment's runs.
        dry_run: only lists the cells.
        measure: the return of a run: evaluation: of its last evaluation; training: of
            its training episodes, averaged over its steps.
        only_results: starts no run; shows the results of those that are complete.
    """

    optuna: int | None = None
    output: str | None = None
    dry_run: bool = False
    measure: Literal["evaluation", "training"] = "evaluation"
    only_results: bool = False

    def __post_init__(self) -> None:
        if self.optuna is not None and self.optuna < 1:
            raise ValueError(f"must be at least 1, got {self.optuna}")
        if self.output is not None and Path(self.output).suffix != ".csv":
            raise ValueError(f"must end in .csv, got {self.output}")
        if self.optuna is not None and self.only_results:
            raise ValueError("exclude each other: give one of them")


class Cell(NamedTuple):
    """One combination of values.

    Attributes:
        values: by the path of the field.
        label: short names and values, such as `temperature 0.03, munchausen 0.9`.
        experiments: one for each seed.
    """

    values: Mapping[str, Any]
    label: str
    experiments: Sequence[Experiment]


class Sweep(NamedTuple):
    """What a command line of `sweep` describes.

    Attributes:
        name: of the experiment.
        swept: values or range of each field that has several, by path.
        fixed: the arguments that all cells share, the experiment's name included.
        train: the flags that are neither fields of an experiment nor in `options`.
        options: the flags of `sweep` alone.
    """

    name: str
    swept: Mapping[str, tuple[Any, ...] | Range]
    fixed: Sequence[str]
    train: train_arguments.Options
    options: Options

    def cell(self, values: Mapping[str, Any]) -> Cell:
        """The cell of some values.

        Raises:
            OverrideError: `train` refuses them; the message names the cell.
        """
        label = _label(values)
        try:
            plan = train_arguments.plan([*self.fixed, *_texts(values)])
        except OverrideError as error:
            raise OverrideError(f"cell {label}: {error}") from error
        return Cell(values, label, plan.experiments)

    def cells(self) -> list[Cell]:
        """Every combination of the listed values, the last field's changing fastest.

        Raises:
            OverrideError: `train` refuses one of them.
        """
        lists = [values for values in self.swept.values() if isinstance(values, tuple)]
        paths = list(self.swept)
        return [
            self.cell(dict(zip(paths, values, strict=True)))
            for values in itertools.product(*lists)
        ]


def read(arguments: Sequence[str]) -> Sweep:
    """Reads `sweep`'s command line; builds no cell of a grid but the first.

    Raises:
        OverrideError: a mistake on the command line.
    """
    named = _experiment(arguments)
    fields, own = flags.fields(named), flags.fields(Options())
    parts = list(tokens(arguments))
    mine = [argument for path, _, whole in parts if path in own for argument in whole]
    _, values = flags.read(mine, own)
    options = flags.replace(Options(), values, "--")
    swept: dict[str, tuple[Any, ...] | Range] = {}
    fixed: list[str] = []
    given = [path for path, _, _ in parts]
    for path, text, whole in parts:
        if path in own:
            continue
        if path in fields and given.count(path) > 1:
            raise OverrideError(f"--{path} is given twice")
        found = _values(path, text, fields, ranges=options.optuna is not None)
        if isinstance(found, tuple) and len(found) == 1:
            fixed += whole
            continue
        swept[path] = found
    plan = _first_plan(swept, fixed)
    train_arguments.check_directory(plan.options, one=False)
    _check(swept, [(path, text) for path, text, _ in parts if path in fields])
    return Sweep(named.name, swept, fixed, plan.options, options)


def _experiment(arguments: Sequence[str]) -> Experiment:
    """The experiment that a command line names; refuses figures."""
    from experiments.names import COMPUTATIONS, GRIDS

    for argument in arguments:
        if argument in COMPUTATIONS:
            raise OverrideError(
                f"sweep takes an experiment, and {argument} is a computed figure; name "
                "one such as mdqn/cartpole"
            )
        if argument in GRIDS:
            raise OverrideError(
                f"sweep takes an experiment, and {argument} is a grid, whose values "
                f"have names: use `munchausen train {argument}`"
            )
    named = train_names.find_named(arguments)
    if not isinstance(named, Experiment):
        first = next(iter(named.variants))
        raise OverrideError(
            f"sweep takes one experiment, and {named.name} is a figure of "
            f"{len(named.variants)}; name one of them, such as {first}"
        )
    return named


def tokens(arguments: Sequence[str]) -> Iterator[tuple[str, str | None, list[str]]]:
    """Splits a command line into flags: path, text if there is one, and arguments.

    The path of an argument that belongs to no flag is empty. Nothing is refused here.
    """
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        flag, equals, text = argument.partition("=")
        if not flag.startswith("--"):
            yield "", None, [argument]
        elif equals:
            yield flag[2:], text, [argument]
        elif rest and not rest[0].startswith("--"):
            yield flag[2:], rest[0], [argument, rest.pop(0)]
        else:
            yield flag[2:], None, [argument]


def _values(
    path: str, text: str | None, fields: Mapping[str, flags.Field], *, ranges: bool
) -> tuple[Any, ...] | Range:
    """The values of a flag; a single one if `train` is to read the flag."""
    field = flags.field_at(path, fields)
    if text is None or field is None:
        return (text,)
    try:
        found = sweep_values.read(field.annotation, text, ranges=ranges)
    except OverrideError as error:
        message = str(error)
        colon = "" if message.startswith("must ") else ":"
        raise OverrideError(f"--{path}{colon} {message}") from error
    if path in _REFUSED and (isinstance(found, Range) or len(found) > 1):
        raise OverrideError(f"--{path} must have one value: {_REFUSED[path]}")
    return found


def _check(
    swept: Mapping[str, tuple[Any, ...] | Range],
    given: Sequence[tuple[str, str | None]],
) -> None:
    """Refuses a sweep with no cells to compare, or with too many."""
    if not swept:
        said = "give one, such as --agent.discount 0.9,0.95,0.99"
        for path, text in given:
            if text and "," in text:
                said = (
                    f"--{path} {text} is one value, since the field is a list; "
                    f"semicolons separate lists: --{path} '{text.replace(',', ';')}'"
                )
        raise OverrideError(f"no field has several values to sweep: {said}")
    listed = [values for values in swept.values() if isinstance(values, tuple)]
    count = math.prod(map(len, listed))
    if len(listed) == len(swept) and count > MOST:
        raise OverrideError(
            f"a sweep must have at most {MOST:,} cells, got {count:,}: list fewer"
        )


def _first_plan(
    swept: Mapping[str, tuple[Any, ...] | Range], fixed: Sequence[str]
) -> train_arguments.Plan:
    """The plan of the first cell; names the cell if its values are the mistake."""
    first = {
        path: values.low if isinstance(values, Range) else values[0]
        for path, values in swept.items()
    }
    try:
        return train_arguments.plan([*fixed, *_texts(first)])
    except OverrideError as error:
        if not any(f"--{path}" in str(error) for path in first):
            raise
        raise OverrideError(f"cell {_label(first)}: {error}") from error


def _texts(values: Mapping[str, Any]) -> list[str]:
    return [f"--{path}={flags.show(value)}" for path, value in values.items()]


def _label(values: Mapping[str, Any]) -> str:
    names = short_names(values)
    pairs = zip(names, values.values(), strict=True)
    return ", ".join(f"{name} {brief(value)}" for name, value in pairs)


def short_names(paths: Iterable[str]) -> list[str]:
    """The last part of each path; the whole path where that is not unique."""
    paths = list(paths)
    last = [path.rpartition(".")[2] for path in paths]
    return [
        name if last.count(name) == 1 else path
        for path, name in zip(paths, last, strict=True)
    ]


def brief(value: Any) -> str:
    """A value as tables and labels show it: at most four digits of a float."""
    return f"{value:.4g}" if isinstance(value, float) else flags.show(value)
