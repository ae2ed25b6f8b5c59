"""The summary that `train` prints after its runs."""

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments import flags
from launch.runs import logs, run_directory
from launch.runs.existing_runs import Entry


def _score(directory: Path, episode_return: float) -> str:
    """The D4RL score of a return, if the run learned from a dataset; else empty."""
    experiment = run_directory.read_experiment(directory)
    if not experiment.dataset:
        return ""
    from launch.datasets import d4rl_scores  # only for runs from datasets

    reference = d4rl_scores.reference(experiment.environment)
    if reference is None:
        return ""
    return f"  D4RL score {d4rl_scores.normalized(episode_return, reference):.1f}"


def final_return(directory: Path) -> float | None:
    """Mean return of a run's last evaluation with episodes; None if it has none."""
    returns = _evaluated(directory)
    return returns[-1] if returns else None


def _evaluated(directory: Path) -> list[float]:
    """Mean return of each of a run's evaluations with episodes."""
    rows = logs.read_evaluations(directory)
    return [row.mean_return for row in rows if row.returns]


def _first(directory: Path) -> str:
    """The first evaluation, if it is not the last as well; else empty."""
    returns = _evaluated(directory)
    return f"  (first evaluation {returns[0]:.4g})" if len(returns) > 1 else ""


def summarise(runs: Sequence[tuple[int, Path | None]]) -> None:
    """Prints the last and the first evaluation of each seed, and the mean of the last.

    If seeds ended at different steps, the mean is at the last step that all reached.

    Args:
        runs: seed and run directory, if there is one.
    """
    finals = [None if path is None else final_return(path) for _, path in runs]
    for (seed, path), value in zip(runs, finals, strict=True):
        shown = "none: no episode has ended in an evaluation"
        if path is not None and value is not None:
            shown = f"{value:.4g}{_score(path, value)}{_first(path)}"
        print(f"seed {seed}  final evaluation return {shown}")
    if len(finals) > 1:
        returns, end = _comparable([path for _, path in runs if path is not None])
        if returns:
            count = f"{len(returns)} of {len(finals)}"
            over = str(len(finals)) if len(returns) == len(finals) else count
            print(f"mean over {over} seeds{_at(end)}  {_spread(returns)}")
    sys.stdout.flush()


def _comparable(directories: Sequence[Path]) -> tuple[list[float], int | None]:
    """Returns of runs at the last step that all of them reached, and that step.

    Args:
        directories: of the runs; one without an evaluation has no return.

    Returns:
        A return for each run; the step, or None if all runs ended there.
    """
    each = [logs.read_evaluations(path) for path in directories]
    runs = [rows for rows in each if any(row.returns for row in rows)]
    ends = [rows[-1].grid for rows in runs]
    kept = [
        [row.mean_return for row in rows if row.returns and row.grid <= min(ends)]
        for rows in runs
    ]
    end = min(ends) if len(set(ends)) > 1 else None
    return [returns[-1] for returns in kept if returns], end


def _at(step: int | None) -> str:
    return "" if step is None else f" at step {step:,}"


def summarise_all(
    entries: Sequence[Entry], directories: Mapping[Entry, Path | None]
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
    from experiments.reporting import read_logs, statistics  # one run needs neither

    rows = [("experiment", "seeds", "whole run", "final evaluation return")]
    for name, seeds in runs.items():
        begun = [path for _, path in seeds if path is not None]
        finals, end = _comparable(begun)
        averages = [
            average.by_episode
            for path in begun
            for metrics in [read_logs.read_metrics(path).rows]
            if (average := statistics.training_average(metrics, end or math.inf))
        ]
        whole = f"{sum(averages) / len(averages):.4g}" if averages else "none"
        spread = f"{_spread(finals)}{_at(end)}" if finals else "none"
        rows.append((name, str(len(begun)), whole, spread))
    print("\n".join(flags.align(rows)))
    print("whole run: mean return of all training episodes", flush=True)


def _spread(returns: Sequence[float]) -> str:
    mean = sum(returns) / len(returns)
    return f"{mean:.4g}  (from {min(returns):.4g} to {max(returns):.4g})"
