"""Runs what a command line of `train` asks for, and prints what came out."""

from collections.abc import Sequence
from pathlib import Path

from experiments.verbs.train_arguments import Options, Plan
from experiments.verbs.train_check import check
from experiments.verbs.train_summary import summarise_all
from launch import errors
from launch import run as launch_run
from launch.preflight import Ready
from launch.runs import existing_runs
from launch.runs.existing_runs import Entry


def run(plan: Plan) -> int:
    """Runs a plan; prints where each run lies and what its last evaluation gave.

    Several local runs share the cores, each in a process of its own; all others run one
    after the other.

    Raises:
        OverrideError: an agent does not fit its environment.
        RunFailed: a run ended before its time.
        RunStopped: a signal ended it; what had begun has saved itself.
        RunDirectoryError: a run directory cannot be written or read.
    """
    options, count = plan.options, len(plan.experiments)
    several = options.launch == "local" and (count > 1 or plan.continued)
    at_once = _at_once(options, count) if several else 1
    here = options.launch != "processes" and not several
    ready = {
        each.name: check(each, options.launch, options.wandb, at_once, here=here)
        for each in {each.name: each for each in plan.experiments}.values()
    }
    entries = [Entry(experiment) for experiment in plan.experiments]
    if plan.continued:
        entries = existing_runs.find(options.runs, plan.experiments)
        print(_overview(entries), flush=True)
    left = [entry for entry in entries if entry.state in ("missing", "cut short")]
    directories = {entry: entry.directory for entry in entries if entry not in left}
    if several:
        directories |= _run_side_by_side(left, plan, at_once)
    else:
        for entry in left:
            fit = ready[entry.experiment.name]
            directories[entry] = _run_here(entry, options, fit)
    summarise_all(entries, directories)
    return 0


def _at_once(options: Options, count: int) -> int:
    from launch.engines import side_by_side  # a single run does not need it

    return side_by_side.at_once(options.parallel, count)


def _run_side_by_side(
    entries: Sequence[Entry], plan: Plan, at_once: int
) -> dict[Entry, Path | None]:
    """Local runs, each in a process of its own."""
    from launch.engines import side_by_side

    options = plan.options
    try:
        directories = side_by_side.run(entries, options.runs, at_once, options.wandb)
    except errors.Interrupted as error:
        how = "the same command" if plan.continued else "--resume"
        said = f"{error}; {how} goes on from there"
        raise errors.RunStopped(said, error.signal) from error
    return {**directories}


def _run_here(entry: Entry, options: Options, ready: Ready) -> Path:
    """One run in this process, or as a program that it launches."""
    local = options.launch == "local"
    with existing_runs.held(options.runs, entry, local=local) as (directory, resume):
        print(directory, flush=True)
        launch_run.run_experiment(
            entry.experiment,
            directory,
            options.launch,
            ready,
            resume=resume,
            wandb=options.wandb,
        )
    return directory


def _overview(entries: Sequence[Entry]) -> str:
    states = [entry.state for entry in entries]
    parts = [f"{states.count('missing')} to start"]
    for state, meaning in (
        ("cut short", "to go on with"),
        ("complete", "complete"),
        ("held", "left to another process"),
    ):
        if state in states:
            parts.append(f"{states.count(state)} {meaning}")
    return f"{len(entries)} runs: {', '.join(parts)}"
