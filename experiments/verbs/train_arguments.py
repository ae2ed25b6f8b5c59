"""Turns a command line of `train` into a plan; starts and writes nothing."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import agents
from experiments import flags
from experiments.flags import OverrideError
from experiments.verbs import train_cluster, train_isolated
from experiments.verbs.train_names import (
    any_environment,
    choose_plugins,
    find_named,
    plain,
)
from launch.cluster import Cluster
from launch.experiment import Experiment, Mode, Supervision
from launch.runs.dashboards import WandbMode

if TYPE_CHECKING:  # otherwise late: experiments need no figures
    from experiments.catalogue.figure import Figure

# Fields of an Experiment that its name determines.
_FIXED = ("name", "agent_name", "origins", "description")
# Fields without effect on a run that learns from a dataset.
_OF_A_REPLAY = (
    "agent.storage.capacity",
    "agent.storage.min_size",
    "agent.storage.samples_per_insert",
)

_FIGURE_HELP = """\
A figure or suite trains all its variants, seed 0 of each first. Repeat the command to
continue it: complete runs below --runs are kept, interrupted runs resume from their
newest checkpoint, missing runs start, and a larger --steps extends all of them. Runs
that differ in any other setting are ignored. The same applies to --seeds N of one
experiment. Local runs share the cores, one thread each; --parallel 1 gives
each run all cores. Flags apply to every variant."""


@dataclasses.dataclass(frozen=True)
class Options:
    """Flags of `train` that are not fields of an experiment.

    Attributes:
        launch: local: one process, reproducible; else a program of threads or
            processes; ray: of processes on the hosts of a Ray cluster.
        runs: root of the run directories.
        seeds: N runs seeds 0 to N-1 instead of --seed; none: one, or a figure's number.
        parallel: number of local runs at once, one thread each if several; none: one
            for each core, or a single one if they would share an accelerator.
        wandb: whether to log to Weights & Biases as well; offline: to be synced later.
        actors_at_least: number of actors without which the run ends, after the others
            have died too often; dead actors and evaluators are started again.
        grace: seconds that a run has to save itself after SIGTERM, SIGUSR1 or SIGUSR2;
            it saves its state at once, then the replay if there is time.
        restarts: how often a program is started again from its newest checkpoint after
            its learner, replay or coordinator has died, or a stall.
        run_directory: the directory of the run; none: a new one below --runs.
        resume: auto: continue the run in --run_directory if it has begun.
        address: of the Ray cluster, host:port; auto: the one of this machine; empty:
            Ray is started on this machine.
        place: hosts of roles in that cluster, such as learner=gpu1; of several learners
            one each.
        ports: for roles that other roles call, as LOW-HIGH; empty: any.
        isolate: whether a program of threads or processes gets a private network, in
            which no other machine and no other user reaches its ports.
        i_have_a_firewall: whether a firewall guards the ports of a cluster, without
            which a host with a public address is refused.
        elastic: whether actors come and go with the hosts of the cluster: the run
            begins with actors_at_least. `--actors LOW..HIGH` sets both.
        plugin: modules of yours, each with a REGISTRY of agents.
    """

    launch: Mode = "local"
    runs: str = "runs"
    seeds: int | None = None
    parallel: int | None = None
    wandb: WandbMode = "off"
    actors_at_least: int = 1
    grace: float = Supervision.grace
    restarts: int = Supervision.restarts
    run_directory: str | None = None
    resume: Literal["auto"] | None = None
    address: str = ""
    place: tuple[str, ...] = ()
    ports: str = ""
    isolate: bool = False
    i_have_a_firewall: bool = False
    elastic: bool = False
    plugin: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.seeds is not None and self.seeds < 1:
            raise ValueError(f"must be at least 1, got {self.seeds}")
        if self.parallel is not None and self.parallel < 1:
            raise ValueError(f"must be at least 1, got {self.parallel}")
        self.supervision()
        train_cluster.check(self.cluster(), self.launch, self.i_have_a_firewall)

    def cluster(self) -> Cluster:
        """Where a program of `--launch ray` runs."""
        return Cluster(self.address, self.place, self.ports, self.elastic)

    def supervision(self) -> Supervision:
        """How the launcher of a program watches its roles."""
        return Supervision(self.actors_at_least, self.grace, self.restarts)


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
    arguments = train_cluster.elastic(arguments)
    named = find_named(arguments)
    bases = _bases(named)
    try:
        return _plan(arguments, named, bases)
    except OverrideError as error:
        registers = type(bases[0].environment).__name__ in ("Classic", "Locomotion")
        found = re.match("--environment.name must .*, got '([^']+)'", str(error))
        if not registers or found is None:
            raise
        how = any_environment(bases[0].agent_name, found[1])
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
    single = isinstance(named, Experiment)
    experiments = []
    for base in bases:
        experiment = _replaced(base, changes)
        if single and base.name not in VARIANTS:
            experiment = _rename(experiment, base)
        _check(experiment, base, options, values)
        experiments.append(experiment)
    seeds = _seeds(named, options, values)
    check_directory(options, one=single and seeds is None)
    if seeds is None:
        return Plan(experiments, options, continued=not single)
    every = [
        dataclasses.replace(experiment, seed=seed)
        for seed in seeds
        for experiment in experiments
    ]
    # Several runs are found by their settings, so that the same command continues them.
    return Plan(every, options, continued=not single or options.seeds is not None)


def _replaced(base: Experiment, changes: Mapping[str, Any]) -> Experiment:
    """The experiment with new values; first weights come with their architectures."""
    first = {
        path: new
        for path, new in changes.items()
        if path.startswith(("initial.", "environment."))
    }
    experiment = flags.replace(base, _with_anchor(base, first), "--")
    if experiment.initial:
        from experiments.verbs import initial_sources  # imports the agent and JAX

        experiment = initial_sources.adopted(experiment)
    rest = {path: new for path, new in changes.items() if path not in first}
    return flags.replace(experiment, rest, "--")


def _with_anchor(base: Experiment, changes: Mapping[str, Any]) -> Mapping[str, Any]:
    """The changes, and the weights of `sft` for networks that begin as `sft` does.

    The caller may name others for them. Policies that continue fine-tuning, values and
    rewards begin with the weights of the supervised policy, whichever it is; a run that
    learned more networks has others of their names, which they do not take.
    """
    anchor = changes.get("initial.sft")
    if anchor is None:
        return changes
    from experiments.verbs import initial_sources  # imports the agent and JAX

    source, _, _ = anchor.partition("#")
    taken = initial_sources.find("sft", anchor, base).network
    alike = {}
    for network, text in base.initial.items():
        if text == base.initial.get("sft"):
            same = initial_sources.find(network, anchor, base).network == taken
            alike[f"initial.{network}"] = anchor if same else f"{source}#{taken}"
    return {**alike, **changes}


def help_lines(arguments: Sequence[str]) -> list[str]:
    """Every flag with type, value and meaning; common flags without an experiment."""
    choose_plugins(arguments)
    named = plain(arguments)
    lines = ["usage: munchausen train <experiment> [--<field> <value> ...]", ""]
    if named:
        found = find_named(arguments)
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


def _bases(named: "Experiment | Figure") -> list[Experiment]:
    return [named] if isinstance(named, Experiment) else [*named.experiments.values()]


def _fields(experiments: Sequence[Experiment]) -> dict[str, flags.Field]:
    """The flags that all of the experiments take, with the values of the first.

    The fields that make the tasks of a suite differ are no flags.
    """
    first, *rest = [flags.fields(experiment) for experiment in experiments]
    return flags.fields(Options()) | {
        path: field
        for path, field in first.items()
        if path not in _FIXED
        and all(path in other for other in rest)
        and (
            not path.startswith(("environment.", "dataset"))
            or all(other[path].value == field.value for other in rest)
        )
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

    path, what, examples = NEEDS.get(base.name.rpartition("/")[2], ("", "", {}))
    if path and path not in values:
        example = examples[agents.look_up(base.agent_name).actions]
        raise OverrideError(f"{base.name} needs {what}, such as --{path} {example}")
    evaluation = experiment.evaluation
    if "evaluation.episodes" in values and (evaluation.lockstep or evaluation.steps):
        kind = "are played in lock-step with training", "lockstep false"
        if evaluation.steps:
            kind = "are phases of a number of steps", "steps 0"
        raise OverrideError(
            f"--evaluation.episodes has no effect on {experiment.name}, whose "
            f"evaluations {kind[0]}: remove it, or add --evaluation.{kind[1]}"
        )
    for path in _OF_A_REPLAY if experiment.dataset else ():
        if path in values:
            raise OverrideError(
                f"--{path} has no effect on a run that learns from a dataset and has "
                "no replay: remove it"
            )
    if options.seeds is not None and "seed" in values:
        raise OverrideError("--seed and --seeds exclude each other: give one of them")
    check_actors(experiment, options.launch, options.actors_at_least)
    check_restarts(options.restarts, options.launch)
    train_isolated.check(options.isolate, options.launch, options.wandb)
    if options.launch != "local" and options.parallel is not None:
        raise OverrideError(
            f"--parallel {options.parallel} is for local runs: --launch "
            f"{options.launch} does one run after the other; remove --parallel"
        )


def check_directory(options: Options, *, one: bool) -> None:
    """Refuses a directory for several runs, and a run to continue without one.

    Raises:
        OverrideError: these flags do not fit the command.
    """
    if options.run_directory is not None and not one:
        raise OverrideError(
            "--run_directory is for one run: several runs, such as those of a figure, "
            "of --seeds or of a sweep, are found below --runs by their settings, and "
            "the same command continues them; remove --run_directory"
        )
    if options.resume is not None and options.run_directory is None:
        raise OverrideError(
            "--resume auto needs the directory of the run: add --run_directory DIR"
        )


def check_actors(experiment: Experiment, launch: Mode, at_least: int) -> None:
    """Refuses a local run with several actors, and a bound above their number.

    Args:
        experiment: gives the number of actors.
        launch: how the run is started.
        at_least: number of actors without which the run ends.

    Raises:
        OverrideError: it does not fit.
    """
    if at_least > experiment.actors:
        raise OverrideError(
            f"--actors_at_least must be at most --actors {experiment.actors}, got "
            f"{at_least}"
        )
    if experiment.dataset:
        return  # it has no actors, see `launch.preflight`
    if launch == "local" and experiment.actors > 1:
        raise OverrideError(
            f"a local run has one actor, got --actors {experiment.actors}; use "
            f"--environments {experiment.actors}, or --launch processes"
        )


def check_restarts(restarts: int, launch: Mode) -> None:
    """Refuses restarts of a local run.

    Raises:
        OverrideError: there are to be some.
    """
    if launch == "local" and restarts:
        raise OverrideError(
            f"--restarts {restarts} is for programs, whose launcher outlives their "
            "roles: add --launch processes, or remove --restarts"
        )
