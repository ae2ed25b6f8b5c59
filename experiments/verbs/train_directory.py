"""`munchausen train <experiment> --run_directory DIR`: one run that lives in DIR.

With `--resume auto` the same command line begins the run, continues it, or finds that
it is complete, as schedulers need that start a command again.
"""

import dataclasses
from pathlib import Path

from experiments import flags
from experiments.flags import OverrideError
from experiments.verbs import (
    resumed_settings,
    train_cluster,
    train_initial,
    train_resume,
)
from experiments.verbs.train_arguments import Options, Plan
from experiments.verbs.train_runs import check, print_notes
from experiments.verbs.train_summary import summarise
from launch import run as launch_run
from launch.experiment import PROCESSES, Experiment
from launch.preflight import Ready
from launch.runs import checkpoint, existing_runs, run_directory
from launch.runs.lock import locked


def run(plan: Plan) -> int:
    """Begins or continues the run of a plan.

    Raises:
        OverrideError: the command line does not fit the run in the directory.
        RunDirectoryError: the directory holds something else, or cannot be used.
        RunFailed: the run ended early.
        RunStopped: a signal ended it.
    """
    [experiment], options = plan.experiments, plan.options
    assert options.run_directory is not None
    directory = Path(options.run_directory)
    if run_directory.is_run(directory):
        if options.resume is None:
            raise OverrideError(
                f"--run_directory must hold no run yet, and {directory} does: add "
                "--resume auto to continue that run"
            )
        return _continue(directory, plan)
    run_directory.refuse_other(directory)
    [experiment] = train_initial.provided(plan).experiments
    ready = _check(experiment, options)
    run_directory.make(directory)
    with locked(directory):
        if run_directory.is_run(directory):
            raise OverrideError(
                f"another process has begun a run in {directory}: choose another "
                "--run_directory, or add --resume auto when that process has ended"
            )
        run_directory.begin(directory, experiment)
        _begin(directory, experiment, options, ready)
    return 0


def _continue(directory: Path, plan: Plan) -> int:
    """Resumes a run, begins it again if it saved nothing, or finds it complete."""
    [wanted], options = plan.experiments, plan.options
    with locked(directory):  # before its newest checkpoint is named
        configured = run_directory.read_experiment(directory)
        done = existing_runs.is_complete(directory, configured)
        if not checkpoint.kept(directory) and not done:
            _check_name(directory, configured, wanted)
            [wanted] = train_initial.provided(plan).experiments
            ready = _check(wanted, options)
            run_directory.record_resume(directory, wanted)
            _begin(directory, wanted, options, ready)
            return 0
        experiment = _changed(directory, configured, wanted)
        if existing_runs.is_complete(directory, experiment):
            print(_completed(directory, configured, experiment))
            return 0
        existing_runs.refuse_without_checkpoint(directory, configured)
        shared = {
            field.name: getattr(options, field.name)
            for field in dataclasses.fields(train_resume.Options)
        }
        given = train_resume.Options(**{**shared, "resume": str(directory)})
        request = train_resume.Request(given, directory, configured, experiment)
        train_resume.resume(request)
    summarise([(experiment.seed, directory)])
    return 0


def _completed(directory: Path, configured: Experiment, wanted: Experiment) -> str:
    """What a complete run has done, and with which settings if others are wanted."""
    said = f"{directory} is complete: it has done {configured.steps:,} steps"
    changed = resumed_settings.changed(configured, wanted)
    changed.pop("steps", None)
    for path, (old, new) in changed.items():
        said += (
            f"; its --{path} is {flags.show(old)}, this command's {flags.show(new)} "
            "has no effect"
        )
    return said


def _changed(directory: Path, configured: Experiment, wanted: Experiment) -> Experiment:
    """The experiment that a run resumes as, if its settings may change to those wanted.

    Raises:
        OverrideError: they may not.
    """
    _check_name(directory, configured, wanted)
    changed = resumed_settings.changed(configured, wanted)
    changed.pop("description", None)  # another version may describe it otherwise
    changed.pop("origins", None)  # the run keeps those with which it began
    values = {path: new for path, (_, new) in changed.items()}
    return resumed_settings.change(configured, values)


def _check_name(directory: Path, configured: Experiment, wanted: Experiment) -> None:
    if configured.name != wanted.name:
        raise OverrideError(
            f"{directory} holds a run of {configured.name}, not of {wanted.name}: "
            "choose another --run_directory"
        )


def _check(experiment: Experiment, options: Options) -> Ready:
    train_cluster.refuse_public(options.address, options.i_have_a_firewall)
    here = options.launch not in PROCESSES
    ready = check(experiment, options.launch, options.wandb, here=here)
    print_notes([ready])
    return ready


def _begin(
    directory: Path, experiment: Experiment, options: Options, ready: Ready
) -> None:
    """Begins a run, in a directory that the caller has locked."""
    print(directory, flush=True)
    launch_run.run_experiment(
        experiment,
        directory,
        options.launch,
        ready,
        wandb=options.wandb,
        supervision=options.supervision(),
        cluster=options.cluster(),
    )
    summarise([(experiment.seed, directory)])
