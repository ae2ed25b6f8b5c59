"""`munchausen train --resume RUN`: resumes a run from its newest checkpoint."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from experiments import flags
from experiments.flags import OverrideError
from experiments.verbs import (
    resumed_settings,
    train_arguments,
    train_cluster,
    train_isolated,
    train_names,
)
from experiments.verbs.train_runs import check, print_notes
from experiments.verbs.train_summary import summarise
from launch import run as launch_run
from launch.cluster import Cluster
from launch.errors import RunDirectoryError
from launch.experiment import PROCESSES, Experiment, Mode, Supervision
from launch.policies import zoo
from launch.runs import checkpoint, existing_runs, run_directory
from launch.runs.checkpoint import Checkpoint
from launch.runs.dashboards import WandbMode
from launch.runs.lock import locked

HELP = """\
usage: munchausen train --resume <run directory> [--steps N] [--launch MODE]
                        [--grace SECONDS] [--restarts N] [--wandb offline|online]
                        [--<field> <value> ...]

Resumes a run from its newest checkpoint, with its own settings; --steps extends it. A
local run resumes in local mode, a run of threads or processes in either of these modes.
A run that learns from a dataset resumes in any mode, by default local. A run that has
done all its steps, but not its last evaluation, only evaluates. For a computed figure
of several runs, `train` keeps the complete runs and computes the others. The command
line then has no other flag.

Other fields that can change: --environments, --actors, --learners, --log_period,
--stall_seconds, --evaluation.*, --checkpoint.*, and those of --agent.* that do not
change the shape of networks or replay, such as --agent.optimizer.learning_rate. `train`
prints what each change does to reproducibility, and config.yaml records it."""


_ITS_DIRECTORY = ("--run_directory", "--run-directory")


@dataclasses.dataclass(frozen=True)
class Options:
    """Flags of `train --resume` that are not fields of an experiment.

    Attributes:
        resume: run directory.
        launch: mode to resume in; none: processes for a distributed run, but local for
            a run that learns from a dataset.
        wandb: whether Weights & Biases continues its log of the run.
        actors_at_least: as for `train`.
        grace: as for `train`.
        restarts: as for `train`.
        address: as for `train`.
        place: as for `train`.
        ports: as for `train`.
        isolate: as for `train`.
        i_have_a_firewall: as for `train`.
        elastic: as for `train`.
    """

    resume: str = ""
    launch: Mode | None = None
    wandb: WandbMode = "off"
    actors_at_least: int = 1
    grace: float = Supervision.grace
    restarts: int = Supervision.restarts
    address: str = ""
    place: tuple[str, ...] = ()
    ports: str = ""
    isolate: bool = False
    i_have_a_firewall: bool = False
    elastic: bool = False

    def __post_init__(self) -> None:
        self.supervision()
        train_cluster.check(self.cluster(), self.launch, self.i_have_a_firewall)

    def cluster(self) -> Cluster:
        """Where a program of `--launch ray` runs."""
        return Cluster(self.address, self.place, self.ports, self.elastic)

    def supervision(self) -> Supervision:
        """How the launcher of a program watches its roles."""
        return Supervision(self.actors_at_least, self.grace, self.restarts)


class Request(NamedTuple):
    """What a command line wants.

    Attributes:
        options: the flags that are not fields of an experiment.
        directory: of the run.
        configured: the experiment as `config.yaml` has it.
        experiment: the same with the new settings.
    """

    options: Options
    directory: Path
    configured: Experiment
    experiment: Experiment


def main(arguments: Sequence[str]) -> int:
    """Reads the command line, checks the run, and resumes it.

    Raises:
        OverrideError: a flag does not fit the run; nothing was started or written.
        RunDirectoryError: the directory holds no run, or the run has no usable
            checkpoint.
        RunFailed: the run ended early.
        RunStopped: a signal ended the run, which saved a checkpoint.
    """
    request = _read(arguments)
    with locked(request.directory):  # before its newest checkpoint is named
        resume(request)
    summarise([(request.experiment.seed, request.directory)])
    return 0


def resume(request: Request) -> None:
    """Checks a run and resumes it; the caller has locked its directory.

    Raises: see `main`.
    """
    options, directory, configured, experiment = request
    saved = checkpoint.newest(directory)
    shortened = experiment.steps < configured.steps
    evaluated = shortened or existing_runs.is_complete(directory, experiment)
    _check_entries(saved)
    mode = _mode(options, saved)
    _check_keeper(experiment, saved)
    train_arguments.check_actors(experiment, mode, options.actors_at_least)
    train_arguments.check_restarts(options.restarts, mode)
    train_isolated.check(options.isolate, mode, options.wandb)
    train_cluster.refuse_public(options.address, options.i_have_a_firewall)
    _refuse_done(experiment, saved, evaluated)
    ready = check(
        experiment,
        mode,
        options.wandb,
        here=mode not in PROCESSES,
        directory=directory,
        start=saved.counts.actor_steps,
    )
    print_notes([ready])
    resumed_settings.check_networks(configured, experiment, ready.spec)
    resumed_settings.check_stages(
        configured, experiment, ready.spec, saved.counts.clock
    )
    _record(request, saved, mode)
    print(f"{directory}: from step {saved.counts.clock:,}", flush=True)
    launch_run.run_experiment(
        experiment,
        directory,
        mode,
        ready,
        saved,
        options.wandb,
        options.supervision(),
        options.cluster(),
    )


def _read(arguments: Sequence[str]) -> Request:
    """Reads the command line and the run's configuration."""
    arguments = train_cluster.elastic(arguments)
    plain = train_names.plain(arguments)
    if plain:
        if any(each.partition("=")[0] in _ITS_DIRECTORY for each in arguments):
            raise OverrideError(
                f"--resume must be auto for {plain[0]} with --run_directory, which "
                "continues the run if it has begun"
            )
        raise OverrideError(
            "--resume takes only a run directory, which records its experiment; "
            f"remove {plain[0]}"
        )
    own = flags.fields(Options())
    first = {"resume": own["resume"]}
    named = [
        each
        for place, argument in enumerate(arguments)
        if argument.partition("=")[0] == "--resume"
        for each in arguments[place : place + 1 + ("=" not in argument)]
    ]
    given = flags.read(named, first)[1]["resume"]
    zoo.refuse(given, "resume")
    directory = Path(given)
    if not directory.is_dir():
        raise OverrideError(f"{directory} is not a directory")
    configured = run_directory.read_experiment(directory)
    _, values = flags.read(arguments, own | resumed_settings.known(configured))
    options = flags.replace(
        Options(), {path: values.pop(path) for path in own if path in values}, "--"
    )
    experiment = resumed_settings.change(configured, values)
    return Request(options, directory, configured, experiment)


def _record(request: Request, saved: Checkpoint, mode: Mode) -> None:
    """Prints what changes, and records it in `config.yaml`."""
    changed = resumed_settings.changed(request.configured, request.experiment)
    step = saved.counts.clock
    for path, (old, new) in changed.items():
        if path == "steps":
            continue  # HELP explains it
        said = resumed_settings.explain(
            path,
            old,
            new,
            step=step,
            local=mode == "local",
            offline=bool(request.configured.dataset),
        )
        print(said)
    run_directory.record_resume(
        request.directory,
        request.experiment,
        {"step": step, **({"changed": changed} if changed else {})},
    )


def _mode(options: Options, saved: Checkpoint) -> Mode:
    if saved.extra["store"] == "dataset":
        return options.launch or "local"
    distributed = saved.extra["store"] == "reverb"
    mode = options.launch or ("processes" if distributed else "local")
    if distributed == (mode == "local"):
        fitting = "threads, processes or ray" if distributed else "local"
        raise OverrideError(
            f"--launch must be {fitting} for this run, got {mode}: only that can read "
            "the saved replay"
        )
    return mode


def _check_keeper(experiment: Experiment, saved: Checkpoint) -> None:
    """Refuses a replay whose keeper cannot read what another one has saved."""
    if saved.extra["store"] != "reverb" or saved.replay is None:
        return
    by_learner = "rows" in saved.extra
    if by_learner == (experiment.replay == "host"):
        fitting = "learner or device" if by_learner else "host"
        raise OverrideError(
            f"--replay must be {fitting} for this run, got {experiment.replay}: only "
            "that can read the saved replay"
        )


def _check_entries(saved: Checkpoint) -> None:
    """Refuses a checkpoint that lacks what a resumed run needs."""
    missing = sorted({"store", "seconds", "episodes"} - saved.extra.keys())
    if missing:
        raise RunDirectoryError(
            f"{saved.path} has no {missing[0]}: it cannot be resumed"
        )


def _refuse_done(experiment: Experiment, saved: Checkpoint, evaluated: bool) -> None:
    """Refuses a complete run; a run without its last evaluation is not complete.

    A program may be killed after it saved its last step, and before that evaluation.
    """
    done = saved.counts.clock
    if done > experiment.steps:
        raise OverrideError(
            f"--steps must be at least {done}, the steps that the run has done, got "
            f"{experiment.steps}"
        )
    if done >= experiment.steps and evaluated:
        raise OverrideError(
            f"the run is complete: it has done {done:,} of {experiment.steps:,} steps; "
            "a larger --steps extends it"
        )
