"""`munchausen train --resume RUN`: resumes a run from its newest checkpoint."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from experiments import flags
from experiments.flags import OverrideError
from experiments.verbs.train_check import check
from experiments.verbs.train_summary import summarise
from launch import run as launch_run
from launch.errors import RunDirectoryError
from launch.experiment import Experiment, Mode
from launch.runs import checkpoint, existing_runs, run_directory
from launch.runs.checkpoint import Checkpoint
from launch.runs.dashboards import WandbMode
from launch.runs.lock import locked

HELP = """\
usage: munchausen train --resume <run directory> [--steps N] [--launch MODE]
                        [--wandb offline|online]

The run goes on as it was configured; --steps extends it. A local run goes on in local
mode, a run of threads or processes in either of those; one that learns from a dataset
in any, and in local mode if none is named. One that has done all its steps, but
not its last evaluation, only evaluates."""


@dataclasses.dataclass(frozen=True)
class Options:
    """Flags of `train --resume`.

    Attributes:
        resume: run directory.
        launch: how to run it now; none: as before, a distributed run as processes, one
            that learns from a dataset as local.
        steps: of the whole run; none: as before.
        wandb: whether Weights & Biases shows it, where it did before.
    """

    resume: str = ""
    launch: Mode | None = None
    steps: int | None = None
    wandb: WandbMode = "off"


def main(arguments: Sequence[str]) -> int:
    """Reads the command line, checks the run, and resumes it.

    Raises:
        OverrideError: anything that does not fit; nothing was started or written.
        RunDirectoryError: no run, or one without a usable checkpoint.
        RunFailed: the run ended before its time.
        RunStopped: a signal ended the run, which has saved itself.
    """
    plain, values = flags.read(arguments, flags.fields(Options()))
    if plain:
        raise OverrideError(
            "--resume takes only a run directory, which names its experiment: "
            f"{plain[0]} is not needed"
        )
    options = flags.replace(Options(), values, "--")
    directory = Path(options.resume)
    if not directory.is_dir():
        raise OverrideError(f"{directory} is no directory")
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
        raise OverrideError(f"--launch {mode}: this run goes on as {fitting}")
    return mode


def _refuse_done(experiment: Experiment, saved: Checkpoint, evaluated: bool) -> None:
    """Refuses what is complete; what lacks its last evaluation is not.

    A program may be killed after it saved its last step, and before it was evaluated.
    """
    missing = sorted({"store", "seconds", "episodes"} - saved.extra.keys())
    if missing:
        raise RunDirectoryError(f"{saved.path} has no {missing[0]} to go on from")
    done = saved.counts.clock
    if done >= experiment.steps and evaluated:
        raise OverrideError(
            f"the run is complete: it has {done:,} steps, {experiment.steps:,} are "
            "asked for; --steps with a larger number extends it"
        )
