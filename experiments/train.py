"""`munchausen train`: a named experiment with typed overrides, for some seeds."""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import setproctitle

from experiments import overrides
from experiments.overrides import OverrideError
from launch import faults, logs
from launch.checkpoint import Checkpoint, SaveFailed
from launch.dashboards import WandbMode
from launch.experiment import Experiment
from launch.lock import locked

# Fields of an Experiment that its name decides.
_FIXED = ("name", "agent_name", "description")


Mode = Literal["local", "threads", "processes"]


class RunFailed(Exception):
    """A run ended before its time; the message says why and where its logs are."""


@dataclasses.dataclass(frozen=True)
class Options:
    """What `train` takes beside the fields of an experiment.

    Attributes:
        launch: one thread, reproducible; or a program of threads or processes.
        runs: root of the run directories.
        seeds: runs seeds 0 to N-1 one after the other, instead of --seed.
        wandb: whether Weights & Biases shows the run, too; offline: when synced.
    """

    launch: Mode = "local"
    runs: str = "runs"
    seeds: int | None = None
    wandb: WandbMode = "off"

    def __post_init__(self) -> None:
        if self.seeds is not None and self.seeds < 1:
            raise ValueError(f"{self.seeds} is no number of seeds: at least 1")


class Plan(NamedTuple):
    """What a command line asks for.

    Attributes:
        experiments: one for each seed.
        options: the rest.
    """

    experiments: list[Experiment]
    options: Options


def plan(arguments: Sequence[str]) -> Plan:
    """Reads `train`'s command line; starts and writes nothing.

    Raises:
        OverrideError: anything unknown, ill-typed or out of range.
    """
    base = _find(arguments)
    known = _fields(base)
    plain, values = overrides.read(arguments, known)
    if len(plain) > 1:
        raise OverrideError(
            f"one experiment at a time: {plain[0]}, not also {plain[1]}"
        )
    own = overrides.fields(Options())
    options = overrides.replace(
        Options(), {path: values[path] for path in values if path in own}, "--"
    )
    changes = {path: values[path] for path in values if path not in own}
    experiment = _rename(overrides.replace(base, changes, "--"), base)
    _check(experiment, base, options, values)
    if options.seeds is None:
        return Plan([experiment], options)
    seeds = range(options.seeds)
    return Plan([dataclasses.replace(experiment, seed=seed) for seed in seeds], options)


def help_lines(arguments: Sequence[str]) -> list[str]:
    """Every flag with type, value and meaning, for the experiment named or for any."""
    named = [argument for argument in arguments if not argument.startswith("-")]
    lines = ["usage: munchausen train <experiment> [--<field> <value> ...]", ""]
    if named:
        base = _find(arguments)
        lines += [f"{base.name}: {base.description}", ""]
        fields = _fields(base)
    else:
        fields = overrides.fields(Options())
        lines += [
            "`munchausen list` names the experiments,",
            "`munchausen train <experiment> --help` all of their fields.",
            "",
        ]
    rows = [
        (
            f"--{path}",
            overrides.type_name(field.annotation),
            overrides.show(field.value),
            field.help,
        )
        for path, field in fields.items()
    ]
    return lines + overrides.align([("field", "type", "value", ""), *rows])


def run(plan: Plan) -> int:
    """Runs a plan; prints where each run lies and what its last evaluation gave.

    Raises:
        OverrideError: the agent does not fit the environment.
        RunFailed: a run ended before its time.
        Interrupted: a signal ended a run, which has saved itself.
        RunDirectoryError: a run directory cannot be written.
    """
    check(plan.experiments[0], plan.options.launch, plan.options.wandb)
    finals: list[tuple[int, float | None]] = []
    for experiment in plan.experiments:
        directory = logs.create(plan.options.runs, experiment)
        print(directory, flush=True)
        launch(experiment, directory, plan.options.launch, wandb=plan.options.wandb)
        finals.append((experiment.seed, final_return(directory)))
    summarise(finals)
    return 0


def check(experiment: Experiment, mode: Mode, wandb: WandbMode) -> None:
    """Raises OverrideError if agent, environment and machine do not fit each other."""
    from launch import dashboards
    from launch import experiment as experiments

    try:
        dashboards.check(wandb)
        experiments.check(experiment, local=mode == "local")
    except ValueError as error:
        raise OverrideError(" ".join(str(error).split())) from error


def final_return(directory: Path) -> float | None:
    """Mean return of a run's last evaluation; None if it has none."""
    rows = logs.read_evaluations(directory)
    return rows[-1].mean_return if rows else None


def launch(
    experiment: Experiment,
    directory: Path,
    mode: Mode,
    resume: Checkpoint | None = None,
    wandb: WandbMode = "off",
) -> None:
    """Runs one experiment in its directory, from the beginning or a checkpoint.

    Raises:
        RunFailed: it ended before its time.
        Interrupted: a signal ended it; it has saved itself.
    """
    role = "launcher" if mode == "processes" else mode
    setproctitle.setproctitle(f"munchausen {role} {experiment.name}")
    # Imported late: only a program needs Reverb and with it TensorFlow.
    with locked(directory):
        try:
            if mode == "local":
                from launch import local

                local.run(experiment, directory, resume=resume, wandb=wandb)
            else:
                from launch import program

                program.run(experiment, directory, mode, resume=resume, wandb=wandb)
        except (faults.RoleFailed, faults.NotFinite, SaveFailed) as error:
            raise RunFailed(f"{error}\n{directory} keeps what it saved") from error


def summarise(finals: Sequence[tuple[int, float | None]]) -> None:
    """Prints the last evaluation of each seed, and of all together."""
    returns = [value for _, value in finals if value is not None]
    for seed, value in finals:
        shown = "no evaluation" if value is None else f"{value:.4g}"
        print(f"seed {seed}  final evaluation return {shown}")
    if len(finals) > 1 and returns:
        mean = sum(returns) / len(returns)
        print(
            f"mean over {len(returns)} seeds  {mean:.4g}  "
            f"(from {min(returns):.4g} to {max(returns):.4g})"
        )
    sys.stdout.flush()


def _find(arguments: Sequence[str]) -> Experiment:
    """The experiment that a command line names, wherever its flags stand."""
    from experiments.catalogue import EXPERIMENTS, misfit

    for argument in arguments:
        if argument in EXPERIMENTS:
            return EXPERIMENTS[argument]
        reason = misfit(argument)
        if reason is not None:
            raise OverrideError(reason)
    if not arguments or arguments[0].startswith("-"):
        raise OverrideError("name an experiment first, such as mdqn/cartpole")
    name = arguments[0]
    closest = overrides.nearest(name, EXPERIMENTS)
    raise OverrideError(f"unknown experiment {name}; nearest: {closest}")


def _fields(experiment: Experiment) -> dict[str, overrides.Field]:
    own = overrides.fields(experiment)
    return overrides.fields(Options()) | {
        path: field for path, field in own.items() if path not in _FIXED
    }


def _rename(experiment: Experiment, base: Experiment) -> Experiment:
    """Run directories say what was played, also where a flag chose the game."""
    for attribute in ("game", "name"):
        old = getattr(base.environment, attribute, None)
        new = getattr(experiment.environment, attribute, None)
        if isinstance(old, str) and isinstance(new, str) and old != new:
            agent_name, task_name = base.name.split("/", 1)
            task_name = task_name.replace(old, new) if old in task_name else new.lower()
            return dataclasses.replace(experiment, name=f"{agent_name}/{task_name}")
    return experiment


def _check(
    experiment: Experiment, base: Experiment, options: Options, values: dict
) -> None:
    """Refuses what no single field can know to be wrong."""
    from experiments.catalogue import ANY_GAME

    if base.name.endswith(f"/{ANY_GAME}") and "environment.game" not in values:
        raise OverrideError(
            f"{base.name} needs a game, such as --environment.game seaquest"
        )
    if options.seeds is not None and "seed" in values:
        raise OverrideError("--seed is one seed and --seeds a number of them: give one")
    if options.launch == "local" and experiment.actors > 1:
        raise OverrideError(
            f"--actors {experiment.actors}: a local run has one actor; nearest: "
            f"--environments {experiment.actors}, or --launch processes"
        )
