"""`munchausen train`: runs what a plan asks for, and says what came out."""

import sys
from collections.abc import Sequence
from pathlib import Path

from experiments import flags
from experiments.flags import OverrideError
from experiments.reporting import read_runs, statistics
from experiments.verbs.train_arguments import Options, Plan
from launch import errors, preflight
from launch import run as launch_run
from launch.datasets import d4rl_scores
from launch.engines import side_by_side
from launch.errors import RunStopped
from launch.experiment import Experiment, Mode
from launch.preflight import Ready
from launch.runs import existing_runs, logs, run_directory
from launch.runs.dashboards import WandbMode
from launch.runs.existing_runs import Entry


def run(plan: Plan) -> int:
    """Runs a plan; prints where each run lies and what its last evaluation gave.

    Raises:
        OverrideError: an agent does not fit its environment.
        RunFailed: a run ended before its time.
        RunStopped: a signal ended it; what had begun has saved itself.
        RunDirectoryError: a run directory cannot be written or read.
    """
    options, at_once = plan.options, 1
    several = options.launch == "local" and (
        len(plan.experiments) > 1 or plan.continued
    )
    if several:
        at_once = side_by_side.at_once(options.parallel, len(plan.experiments))
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
        try:
            directories |= side_by_side.run(left, options.runs, at_once, options.wandb)
        except errors.Interrupted as error:
            how = "the same command" if plan.continued else "--resume"
            said = f"{error}; {how} goes on from there"
            raise RunStopped(said, error.signal) from error
    else:
        for entry in left:
            fit = ready[entry.experiment.name]
            directories[entry] = _run_here(entry, options, fit)
    _summarise_all(entries, directories)
    return 0


def _run_here(entry: Entry, options: Options, ready: Ready) -> Path:
    """One run in this process, or as a program that it launches."""
    local = options.launch == "local"
    with existing_runs.held(options.runs, entry, local=local) as (directory, resume):
        print(directory, flush=True)
        launch_run.run_experiment(
            *(entry.experiment, directory, options.launch, ready),
            resume=resume,
            wandb=options.wandb,
        )
    return directory


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
    """Refuses what cannot run; see `launch.preflight.check`.

    Raises:
        OverrideError: agent, environment and machine do not fit each other.
    """
    if here and mode == "local":
        launch_run.settle()
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


def _score(directory: Path, episode_return: float) -> str:
    """What a return scores, of a run that learned from a dataset; else nothing."""
    experiment = run_directory.read_experiment(directory)
    reference = d4rl_scores.reference(experiment.environment)
    if not experiment.dataset or reference is None:
        return ""
    return f"  D4RL score {d4rl_scores.normalized(episode_return, reference):.1f}"


def final_return(directory: Path) -> float | None:
    """Mean return of a run's last evaluation with episodes; None if it has none."""
    rows = [row for row in logs.read_evaluations(directory) if row.returns]
    return rows[-1].mean_return if rows else None


def summarise(runs: Sequence[tuple[int, Path | None]]) -> None:
    """Prints the last evaluation of each seed, and of all together.

    Args:
        runs: seed and run directory, if there is one.
    """
    finals = [None if path is None else final_return(path) for _, path in runs]
    for (seed, path), value in zip(runs, finals, strict=True):
        shown = "no evaluation"
        if path is not None and value is not None:
            shown = f"{value:.4g}{_score(path, value)}"
        print(f"seed {seed}  final evaluation return {shown}")
    returns = [value for value in finals if value is not None]
    if len(finals) > 1 and returns:
        print(f"mean over {len(returns)} seeds  {_spread(returns)}")
    sys.stdout.flush()


def _summarise_all(
    entries: Sequence[Entry], directories: dict[Entry, Path | None]
) -> None:
    """Prints the seeds of one experiment, or a line for each variant of a figure."""
    runs: dict[str, list[tuple[int, Path | None]]] = {}
    for entry in entries:
        seeds = runs.setdefault(entry.experiment.name, [])
        seeds.append((entry.experiment.seed, directories[entry]))
    if len(runs) == 1:
        [seeds] = runs.values()
        summarise(seeds)
        return
    rows = [("experiment", "seeds", "whole run", "final evaluation return")]
    for name, seeds in runs.items():
        begun = [path for _, path in seeds if path is not None]
        finals = [value for path in begun if (value := final_return(path)) is not None]
        averages = [
            average.by_episode
            for path in begun
            if (average := statistics.training_average(read_runs.read_metrics(path)))
        ]
        whole = f"{sum(averages) / len(averages):.4g}" if averages else "none"
        spread = _spread(finals) if finals else "none"
        rows.append((name, str(len(begun)), whole, spread))
    print("\n".join(flags.align(rows)))
    print("whole : mean return of all training episodes", flush=True)


def _spread(returns: Sequence[float]) -> str:
    mean = sum(returns) / len(returns)
    return f"{mean:.4g}  (from {min(returns):.4g} to {max(returns):.4g})"


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
