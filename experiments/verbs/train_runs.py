"""Checks and runs the plan of a `train` command; prints the results."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from experiments.flags import OverrideError
from experiments.verbs import train_cluster
from experiments.verbs.train_arguments import Options, Plan
from experiments.verbs.train_summary import summarise_all
from launch import errors, preflight, ranks, surroundings
from launch import run as launch_run
from launch.experiment import PROCESSES, Experiment, Mode
from launch.preflight import Ready
from launch.runs import existing_runs, run_directory
from launch.runs.dashboards import WandbMode
from launch.runs.existing_runs import Entry, Finder, Taken


def run(plan: Plan) -> int:
    """Runs a plan; prints the run directories and the last evaluations.

    Several local runs share the cores, each in its own process; all others run one
    after the other.

    Raises:
        OverrideError: an agent does not fit its environment.
        RunFailed: a run ended early.
        RunStopped: a signal ended it; runs that had begun saved a checkpoint.
        RunDirectoryError: a run directory cannot be written or read.
    """
    options, count = plan.options, len(plan.experiments)
    train_cluster.refuse_public(options.address, options.i_have_a_firewall)
    several = options.launch == "local" and plan.continued
    if options.parallel is not None and not several:
        raise OverrideError(
            f"--parallel {options.parallel} is for several runs, such as those of "
            "--seeds, and this is one: remove --parallel"
        )
    at_once = _at_once(options, count) if several else 1
    here = options.launch not in PROCESSES and not several
    ready = {
        each.name: check(each, options.launch, options.wandb, at_once, here=here)
        for each in {each.name: each for each in plan.experiments}.values()
    }
    print_notes(ready.values())
    entries = [Entry(experiment) for experiment in plan.experiments]
    if plan.continued:
        entries = existing_runs.find(options.runs, plan.experiments)
        print(overview(entries), flush=True)
    left = [entry for entry in entries if entry.is_left]
    if all(entry.state == "complete" for entry in entries):
        print("to train them again, choose another folder with --runs", flush=True)
    directories = {entry: entry.directory for entry in entries if entry not in left}
    if several:
        directories |= _run_side_by_side(left, plan, at_once)
    else:
        for entry in left:
            fit = ready[entry.experiment.name]
            directories[entry] = run_here(entry, options, fit).directory
    summarise_all(entries, directories)
    return 0


def _at_once(options: Options, count: int) -> int:
    from launch.engines import side_by_side  # a single run does not need it

    return side_by_side.at_once(options.parallel, count)


def _run_side_by_side(
    entries: Sequence[Entry], plan: Plan, at_once: int
) -> dict[Entry, Path | None]:
    """Runs local experiments at once, each in its own process."""
    from launch.engines import side_by_side

    options = plan.options
    try:
        directories = side_by_side.run(
            entries, options.runs, at_once, options.wandb, grace=options.grace
        )
    except errors.Interrupted as error:
        said = f"{error}; continue with the same command"
        raise errors.RunStopped(said, error.signal) from error
    return {**directories}


def run_here(entry: Entry, options: Options, ready: Ready) -> Taken:
    """Runs one experiment in this process, or as a program that it launches.

    Does nothing if another process runs it or has completed it.

    Raises:
        RunFailed: the run ended early.
        RunStopped: a signal ended the run; it has saved a checkpoint.
        RunDirectoryError: its directory cannot be written or read, or it was begun with
            another --launch.
    """
    with existing_runs.taken(Finder(options.runs), entry) as taken:
        entry, directory, file = taken
        if file is None:
            print(taken, flush=True)
            return taken
        resume = None
        if entry.state == "cut short":
            local = options.launch == "local"
            resume = existing_runs.checkpoint_to_resume(directory, local=local)
            run_directory.record_resume(directory, entry.experiment)
        print(taken, flush=True)
        launch_run.run_experiment(
            entry.experiment,
            directory,
            options.launch,
            ready,
            resume=resume,
            wandb=options.wandb,
            supervision=options.supervision(),
            cluster=options.cluster(),
        )
    return taken


def check(
    experiment: Experiment,
    mode: Mode,
    wandb: WandbMode,
    at_once: int = 1,
    *,
    here: bool,
    directory: Path | None = None,
    start: int = 0,
) -> Ready:
    """Refuses an experiment that cannot run; see `launch.preflight.check`.

    Raises:
        OverrideError: agent, environment and machine do not fit each other.
        Unfit: no run can work on this machine.
    """
    if here and mode == "local":
        launch_run.settle()
    ranks.check(mode)
    surroundings.check_program(mode, experiment.actors, here=here)
    try:
        return preflight.check(
            experiment,
            mode,
            wandb=wandb,
            at_once=at_once,
            here=here,
            directory=directory,
            start=start,
        )
    except ValueError as error:
        raise OverrideError(errors.in_flags(error, experiment)) from error


def print_notes(ready: Iterable[Ready]) -> None:
    """Prints each note about the runs and their datasets once."""
    notes = [note for each in ready for note in each.notes]
    for note in dict.fromkeys(notes):
        print(f"munchausen: {note}", file=sys.stderr, flush=True)


def overview(entries: Sequence[Entry]) -> str:
    """How many runs a plan has, and in which state they are."""
    states = [entry.state for entry in entries]
    parts = [f"{states.count('missing')} to start"]
    for state, meaning in (
        ("cut short", "to resume"),
        ("complete", "complete"),
        ("held", "held by another process"),
    ):
        if state in states:
            parts.append(f"{states.count(state)} {meaning}")
    return f"{len(entries)} runs: {', '.join(parts)}"
