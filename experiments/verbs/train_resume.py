"""`munchausen train --resume RUN`: resumes a run from its newest checkpoint."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from experiments import flags
from experiments.flags import OverrideError
from experiments.verbs.train_runs import check
from experiments.verbs.train_summary import summarise
from launch import run as launch_run
from launch.errors import RunDirectoryError
from launch.experiment import Experiment, Mode
from launch.policies import zoo
from launch.runs import checkpoint, existing_runs, run_directory
from launch.runs.checkpoint import Checkpoint
from launch.runs.dashboards import WandbMode
from launch.runs.lock import locked

HELP = """\
usage: munchausen train --resume <run directory> [--steps N] [--launch MODE]
                        [--wandb offline|online]

Resumes a run from its newest checkpoint, with its own settings; --steps extends it. A
local run resumes in local mode, a run of threads or processes in either of these modes.
A run that learns from a dataset resumes in any mode, by default local. A run that has
done all its steps, but not its last evaluation, only evaluates."""


@dataclasses.dataclass(frozen=True)
class Options:
    """Flags of `train --resume`.

    Attributes:
        resume: run directory.
        launch: mode to resume in; none: processes for a distributed run, but local for
            a run that learns from a dataset.
        steps: total steps of the run; none: as before.
        wandb: whether Weights & Biases continues its log of the run.
    """

    resume: str = ""
    launch: Mode | None = None
    steps: int | None = None
    wandb: WandbMode = "off"


def main(arguments: Sequence[str]) -> int:
    """Reads the command line, checks the run, and resumes it.

    Raises:
        OverrideError: a flag does not fit the run; nothing was started or written.
        RunDirectoryError: the directory holds no run, or the run has no usable
            checkpoint.
        RunFailed: the run ended early.
        RunStopped: a signal ended the run, which saved a checkpoint.
    """
    plain, values = flags.read(arguments, flags.fields(Options()))
    if plain:
        raise OverrideError(
            "--resume takes only a run directory, which records its experiment; "
            f"remove {plain[0]}"
        )
    options = flags.replace(Options(), values, "--")
    zoo.refuse(options.resume, "resume")
    directory = Path(options.resume)
    if not directory.is_dir():
        raise OverrideError(f"{directory} is not a directory")
    experiment = configured = run_directory.read_experiment(directory)
    if options.steps is not None:
        experiment = flags.replace(experiment, {"steps": options.steps}, "--")
    with locked(directory):  # before its newest checkpoint is named
        saved = checkpoint.newest(directory)
        shortened = experiment.steps < configured.steps
        evaluated = shortened or existing_runs.is_complete(directory, experiment)
        _refuse_done(experiment, saved, evaluated)
        mode = _mode(options, saved)
        ready = check(
            experiment,
            mode,
            options.wandb,
            here=mode != "processes",
            directory=directory,
            start=saved.counts.actor_steps,
        )
        run_directory.record_resume(directory, experiment)
        print(f"{directory}: from step {saved.counts.clock:,}", flush=True)
        launch_run.run_experiment(
            experiment, directory, mode, ready, saved, options.wandb
        )
    summarise([(experiment.seed, directory)])
    return 0


def _mode(options: Options, saved: Checkpoint) -> Mode:
    if saved.extra["store"] == "dataset":
        return options.launch or "local"
    distributed = saved.extra["store"] == "reverb"
    mode = options.launch or ("processes" if distributed else "local")
    if distributed == (mode == "local"):
        fitting = "threads or processes" if distributed else "local"
        raise OverrideError(f"--launch must be {fitting} for this run, got {mode}")
    return mode


def _refuse_done(experiment: Experiment, saved: Checkpoint, evaluated: bool) -> None:
    """Refuses a complete run; a run without its last evaluation is not complete.

    A program may be killed after it saved its last step, and before that evaluation.
    """
    missing = sorted({"store", "seconds", "episodes"} - saved.extra.keys())
    if missing:
        raise RunDirectoryError(
            f"{saved.path} has no {missing[0]}: it cannot be resumed"
        )
    done = saved.counts.clock
    if done >= experiment.steps and evaluated:
        raise OverrideError(
            f"the run is complete: it has done {done:,} of {experiment.steps:,} steps; "
            "a larger --steps extends it"
        )
