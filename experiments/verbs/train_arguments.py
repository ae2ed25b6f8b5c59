"""Turns a command line of `train` into a plan; starts and writes nothing."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from experiments import flags
from experiments.flags import OverrideError
from launch.experiment import Experiment, Mode
from launch.runs.dashboards import WandbMode

if TYPE_CHECKING:  # otherwise late: experiments need no figures
    from experiments.catalogue.figure import Figure

# Fields of an Experiment that its name determines.
_FIXED = ("name", "agent_name", "description")

_FIGURE_HELP = """\
A figure trains all its variants, seed 0 of each first. Repeat the command to continue
it: complete runs below --runs are kept, interrupted runs resume from their newest
checkpoint, missing runs start, and a larger --steps extends all of them. Runs that
differ in any other setting are ignored. The same applies to --seeds N of one variant.
Local runs share the cores, one thread each; --parallel 1 gives each run all cores.
Flags apply to every variant."""


@dataclasses.dataclass(frozen=True)
class Options:
    """Flags of `train` that are not fields of an experiment.

    Attributes:
        launch: local: one thread, reproducible; else a program of threads or processes.
        runs: root of the run directories.
        seeds: N runs seeds 0 to N-1 instead of --seed; none: one, or a figure's number.
        parallel: number of local runs at once, one thread each if several; none: one
            for each core, or a single one if they would share an accelerator.
        wandb: whether to log to Weights & Biases as well; offline: to be synced later.
        plugin: modules of yours, each with a REGISTRY of agents.
    """

    launch: Mode = "local"
    runs: str = "runs"
    seeds: int | None = None
    parallel: int | None = None
    wandb: WandbMode = "off"
    plugin: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.seeds is not None and self.seeds < 1:
            raise ValueError(f"must be at least 1, got {self.seeds}")
        if self.parallel is not None and self.parallel < 1:
            raise ValueError(f"must be at least 1, got {self.parallel}")


class Plan(NamedTuple):
    """The runs that a command line asks for.

    Attributes:
        experiments: one for each run, in the order to start them.
        options: the flags that are not fields of an experiment.
        continued: whether existing runs are kept or resumed.
    """

    experiments: list[Experiment]
    options: Options
    continued: bool = False


def plan(arguments: Sequence[str]) -> Plan:
    """Reads `train`'s command line; starts and writes nothing.

    Raises:
        OverrideError: anything unknown, ill-typed or out of range.
    """
    choose_plugins(arguments)
    named = _find(arguments)
    bases = _bases(named)
    try:
        return _plan(arguments, named, bases)
    except OverrideError as error:
        registers = type(bases[0].environment).__name__ in ("Classic", "Locomotion")
        found = re.match("--environment.name must .*, got '([^']+)'", str(error))
        if not registers or found is None:
            raise
        how = _any_environment(bases[0].agent_name, found[1])
        raise OverrideError(f"{error}; {how}") from error


def _plan(
    arguments: Sequence[str], named: "Experiment | Figure", bases: Sequence[Experiment]
) -> Plan:
    from experiments.names import VARIANTS

    names, values = flags.read(arguments, _fields(bases))
    if len(names) > 1:
        raise OverrideError(
            f"train takes one experiment at a time, got {names[0]} and {names[1]}"
        )
    own = flags.fields(Options())
    options = flags.replace(
        Options(), {path: values[path] for path in values if path in own}, "--"
    )
    changes = {path: values[path] for path in values if path not in own}
    experiments = []
    for base in bases:
        experiment = flags.replace(base, changes, "--")
        if base.name not in VARIANTS:
            experiment = _rename(experiment, base)
        _check(experiment, base, options, values)
        experiments.append(experiment)
    seeds = _seeds(named, options, values)
    if seeds is None:
        return Plan(experiments, options, not isinstance(named, Experiment))
    every = [
        dataclasses.replace(experiment, seed=seed)
        for seed in seeds
        for experiment in experiments
    ]
    return Plan(every, options, bases[0].name in VARIANTS)


def choose_plugins(arguments: Sequence[str]) -> None:
    """Makes the agents known of the modules that `--plugin` names.

    Raises:
        OverrideError: a module has no usable agents, or --plugin no value.
    """
    from experiments.catalogue import user_agents

    modules: list[str] = []
    for place, argument in enumerate(arguments):
        flag, equals, text = argument.partition("=")
        if flag == "--plugin":
            given = [text] if equals else arguments[place + 1 : place + 2]
            modules += [name for each in given for name in each.split(",") if name]
    user_agents.choose(modules)


def find_named(arguments: Sequence[str]) -> "Experiment | Figure":
    """The experiment or figure that a command line names.

    Raises:
        OverrideError: it names none.
    """
    choose_plugins(arguments)
    return _find(arguments)


def help_lines(arguments: Sequence[str]) -> list[str]:
    """Every flag with type, value and meaning; common flags without an experiment."""
    choose_plugins(arguments)
    named = plain(arguments)
    lines = ["usage: munchausen train <experiment> [--<field> <value> ...]", ""]
    if named:
        found = _find(arguments)
        lines += [f"{found.name}: {found.description}", ""]
        if not isinstance(found, Experiment):
            lines += [f"variants, {found.seeds} seeds each:"]
            lines += [f"  {name}" for name in found.variants]
            lines += ["", _FIGURE_HELP, ""]
        fields = _fields(_bases(found))
    else:
        fields = flags.fields(Options())
        lines += [
            "`munchausen list` prints the experiments and the papers' figures,",
            "`munchausen train <experiment> --help` prints all fields of one.",
            "",
        ]
    rows = [
        (
            f"--{path}.<name>" if flags.is_keyed(field.annotation) else f"--{path}",
            flags.type_name(field.annotation),
            flags.show(field.value),
            field.help,
        )
        for path, field in fields.items()
    ]
    return lines + flags.align([("field", "type", "value", ""), *rows])


def _find(arguments: Sequence[str]) -> "Experiment | Figure":
    """The experiment or figure that a command line names, before or after flags."""
    from experiments.catalogue.experiments import misfit
    from experiments.names import COMPUTATIONS, EXPERIMENTS, FIGURES

    known: Mapping[str, Experiment | Figure]
    for argument in arguments:
        for known in (EXPERIMENTS, FIGURES):
            if argument in known:
                return known[argument]
    given = plain(arguments)
    for reason in filter(None, map(misfit, given)):
        raise OverrideError(reason)
    if not given:
        raise OverrideError("name an experiment first, such as mdqn/cartpole")
    agent_name, _, task_name = given[0].partition("/")
    if re.search(r"-v\d+$|:", task_name) and f"{agent_name}/gymnasium" in EXPERIMENTS:
        how = _any_environment(agent_name, task_name)
        raise OverrideError(f"unknown experiment {given[0]!r}; {how}")
    hint = _hint(given[0], [*EXPERIMENTS, *FIGURES, *COMPUTATIONS])
    raise OverrideError(f"unknown experiment {given[0]!r}; {hint}")


def plain(arguments: Sequence[str]) -> list[str]:
    """The arguments that are neither flags nor the values of flags."""
    before = ["", *arguments]
    return [
        argument
        for argument, previous in zip(arguments, before, strict=False)
        if not argument.startswith("-")
        and (not previous.startswith("--") or "=" in previous)
    ]


def _hint(name: str, names: Sequence[str]) -> str:
    """The name that was meant, if both of its halves are near; else where to look."""
    first, _, second = name.partition("/")
    close = flags.nearest(first, dict.fromkeys(each.split("/")[0] for each in names))
    if close is not None and second:
        rest = [each.split("/")[1] for each in names if each.startswith(f"{close}/")]
        found = flags.nearest(second, rest)
        if found is not None:
            return f"did you mean {f'{close}/{found}'!r}?"
    for half in (second, first):
        if half and any(half in each.split("/") for each in names):
            return (
                f"`munchausen list {half}` prints the names with {half}; an agent of "
                "yours needs --plugin MODULE"
            )
    return "`munchausen list` prints what there is"


def _any_environment(agent_name: str, environment_id: str) -> str:
    return (
        "for any environment of Gymnasium or of yours use "
        f"{agent_name}/gymnasium --environment.id {environment_id}"
    )


def _bases(named: "Experiment | Figure") -> list[Experiment]:
    return [named] if isinstance(named, Experiment) else [*named.experiments.values()]


def _fields(experiments: Sequence[Experiment]) -> dict[str, flags.Field]:
    """The flags that all of the experiments take, with the values of the first."""
    first, *rest = [flags.fields(experiment) for experiment in experiments]
    return flags.fields(Options()) | {
        path: field
        for path, field in first.items()
        if path not in _FIXED and all(path in other for other in rest)
    }


def _seeds(
    named: "Experiment | Figure", options: Options, values: Mapping[str, Any]
) -> range | None:
    """The seeds to run; None: only the seed of --seed."""
    if options.seeds is not None:
        return range(options.seeds)
    if isinstance(named, Experiment) or "seed" in values:
        return None
    return range(named.seeds)


def _rename(experiment: Experiment, base: Experiment) -> Experiment:
    """Renames the experiment, thus its run directory, after the game of a flag."""
    for attribute in ("game", "name", "id"):
        old = getattr(base.environment, attribute, None)
        new = getattr(experiment.environment, attribute, None)
        if isinstance(old, str) and isinstance(new, str) and old != new:
            agent_name, task_name = base.name.split("/", 1)
            if old and old in task_name:
                task_name = task_name.replace(old, new)
            else:  # safe as the name of a directory
                plain = re.sub(r"[^a-z0-9._]+", "-", new.lower()).strip("-.")
                task_name = plain or task_name  # nothing is left of other scripts
            return dataclasses.replace(experiment, name=f"{agent_name}/{task_name}")
    return experiment


def _check(
    experiment: Experiment, base: Experiment, options: Options, values: dict
) -> None:
    """Refuses flags that do not fit each other."""
    from experiments.catalogue.tasks import NEEDS

    path, what, example = NEEDS.get(base.name.rpartition("/")[2], ("", "", ""))
    if path and path not in values:
        raise OverrideError(f"{base.name} needs {what}, such as --{path} {example}")
    if options.seeds is not None and "seed" in values:
        raise OverrideError("--seed and --seeds exclude each other: give one of them")
    check_actors(experiment, options.launch)
    if options.launch != "local" and options.parallel is not None:
        raise OverrideError(
            f"--parallel {options.parallel} is for local runs: --launch "
            f"{options.launch} does one run after the other; remove --parallel"
        )


def check_actors(experiment: Experiment, launch: Mode) -> None:
    """Refuses a local run with several actors.

    Raises:
        OverrideError: it has several.
    """
    if launch == "local" and experiment.actors > 1:
        raise OverrideError(
            f"a local run has one actor, got --actors {experiment.actors}; use "
            f"--environments {experiment.actors}, or --launch processes"
        )
