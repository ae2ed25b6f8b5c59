"""Runs one experiment in its directory: the entry point of all modes.

`launch.engines.side_by_side` starts a local run in a separate process with
`munchausen.command("launch.run", RUN, "--wandb=MODE", "--lock=DESCRIPTOR")`.
"""

import os
import shlex
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import jax
import setproctitle

from environments.checks import EnvironmentFailed
from environments.vector import VectorEnvironment
from launch import errors, preflight
from launch.build import make_stages
from launch.cluster import HERE, Cluster
from launch.errors import (
    RunDirectoryError,
    RunFailed,
    RunStopped,
    SaveFailed,
)
from launch.experiment import PROCESSES, SUPERVISION, Experiment, Mode, Supervision
from launch.preflight import Ready
from launch.replay import QUEUED
from launch.roles.context import Run
from launch.runs import (
    checkpoint,
    checkpoint_files,
    existing_runs,
    generation,
    provenance,
    run_directory,
)
from launch.runs.checkpoint import Checkpoint
from launch.runs.dashboards import WandbMode
from launch.runs.lock import adopted, locked
from launch.runs.run_directory import PRETRAINING

TRACEBACK = "environment_error.txt"
_FAILURES = (
    errors.RoleFailed,
    errors.EndedEarly,
    errors.NotFinite,
    SaveFailed,
    EnvironmentFailed,
)


def run_experiment(
    experiment: Experiment,
    directory: Path,
    mode: Mode,
    ready: Ready,
    resume: Checkpoint | None = None,
    wandb: WandbMode = "off",
    supervision: Supervision = SUPERVISION,
    cluster: Cluster = HERE,
) -> None:
    """Runs one experiment in its directory, from the beginning or a checkpoint.

    The caller must lock the directory before it looks up the checkpoint to resume.

    Args:
        experiment: the experiment to run.
        directory: its run directory.
        mode: how to run it.
        ready: the result of `launch.preflight.check` for this start.
        resume: the checkpoint to resume; None: the run begins.
        wandb: whether to log to Weights & Biases as well.
        supervision: how the launcher of a program watches its roles.
        cluster: where the roles run under Ray.

    Raises:
        RunFailed: the run failed before its end.
        RunStopped: a signal ended the run; it has saved a checkpoint.
    """
    role = "launcher" if mode in PROCESSES else mode
    setproctitle.setproctitle(f"munchausen {role} {experiment.name}")
    made = Run(
        experiment,
        directory,
        ready.spec,
        ready.frame_stack,
        resume,
        wandb,
        ready.dataset,
        supervision.grace,
        generation.take(directory),
    )
    if resume is not None:
        _tell_difference(made, resume, mode)
    try:
        _start(made, mode, ready.environment, supervision, cluster)
    except _FAILURES as error:
        kept = _kept(directory)
        if isinstance(error, EnvironmentFailed) and error.__cause__ is not None:
            kept = f"{_write_traceback(error.__cause__, directory)}\n{kept}"
        raise RunFailed(f"{error}\n{kept}") from error
    except OSError as error:  # a disk that is full, or gone
        reason = str(error.strerror or error).lower()
        said = f"cannot write to {directory}: {reason}\n{_kept(directory)}"
        raise RunFailed(said) from error
    except errors.Interrupted as error:
        left = _left(experiment, directory, error.signal)
        raise RunStopped(f"{error}; {left}", error.signal) from error


def _tell_difference(run: Run, resume: Checkpoint, mode: Mode) -> None:
    """Tells how a resumed run differs from an uninterrupted one, if it does."""
    for said in _differences(run, resume, mode):
        print(f"{run.directory}: {said}", flush=True)


def _differences(run: Run, resume: Checkpoint, mode: Mode) -> Iterator[str]:
    step = resume.counts.clock
    last = make_stages(run.experiment, run.spec)[-1]
    replays = last.source != "dataset" and last.agent.storage.order != "queue"
    further = "from there on the run differs from one that was not interrupted"
    if resume.replay_of is not None:
        yield (
            f"the replay is that of step {resume.replay_of:,}; there was no time to "
            f"save it at step {step:,}"
        )
    if mode == "local":
        yield from _other_threads(resume)
    queued = resume.extra.get(QUEUED, 0)
    if queued:
        yield (
            f"{queued} transitions that waited in the actors' queues at step {step:,} "
            "are dropped"
        )
    exact = resume.extra.get(checkpoint.EXACT, True)  # older checkpoints do not know
    left = 0 if replays or mode != "local" else _left_over(resume)
    if left:
        yield (
            f"{left} transitions that waited for an update at step {step:,} were not "
            f"saved; {further}"
        )
    elif resume.replay is None and replays:
        yield (
            f"the replay was not saved at step {step:,}, so it begins empty; {further}"
        )
    elif mode == "local" and not exact:
        yield (
            f"the environments restart at step {step:,}, which is not a multiple of "
            f"checkpoint.period; {further}"
        )


def _left_over(resume: Checkpoint) -> int:
    """Transitions of a local run's queue that no update had used and nobody saved."""
    store = resume.extra["store"]
    if resume.replay is not None or not isinstance(store, dict):  # of another engine
        return 0
    return store["inserted"] - store["sampled"]


def _other_threads(resume: Checkpoint) -> Iterator[str]:
    """Whether XLA computed with another number of threads before."""
    threads = provenance.threads()
    before = resume.extra.get(checkpoint.THREADS, threads)  # older: unknown
    if before != threads:
        yield (
            f"computes with {threads} thread{'s' * (threads > 1)}, before step "
            f"{resume.counts.clock:,} with {before}, which rounds sums otherwise; "
            f"NPROC={before} continues as before"
        )


def _start(
    run: Run,
    mode: Mode,
    environment: VectorEnvironment | None,
    supervision: Supervision,
    cluster: Cluster,
) -> None:
    # Imported late: only a program needs Launchpad.
    if mode == "local":
        from launch.engines import one_thread

        one_thread.run(run, environment)
    else:
        from launch.engines import generations, launchpad_engine

        generations.run(
            run,
            lambda run: launchpad_engine.run(
                run, mode, supervision=supervision, cluster=cluster
            ),
            supervision.restarts,
        )


def _write_traceback(error: BaseException, directory: Path) -> str:
    """Writes where a user's code raised an error; says where it was written."""
    path = directory / TRACEBACK
    lines = traceback.format_exception(error)
    try:
        path.write_text("".join(lines), encoding="utf-8")
    except OSError as reason:
        return f"cannot write the traceback to {path}: {reason}"
    return f"the traceback is in {path}"


def _kept(directory: Path) -> str:
    """What a run that failed has left."""
    if _can_resume(directory):
        return f"everything saved so far is kept in {directory}"
    return f"no checkpoint was saved, so begin it again; its logs are in {directory}"


def _can_resume(directory: Path) -> bool:
    return bool(
        checkpoint.reached(directory) or checkpoint.reached(directory / PRETRAINING)
    )


def _left(experiment: Experiment, directory: Path, number: int) -> str:
    """How to resume a run that a signal stopped, or why not."""
    if existing_runs.is_complete(directory, experiment):
        return f"{directory} was complete"
    if _can_resume(directory):
        saved = f"{_saved(directory)}; " if number in errors.NOTICES else ""
        return f"{saved}continue with --resume {shlex.quote(str(directory))}"
    return "nothing was saved yet"


def _saved(directory: Path) -> str:
    """What the newest checkpoint of a run holds; there may have been little time."""
    steps = checkpoint.reached(directory)
    if not steps:
        return "saved: its first stage"
    path = directory / checkpoint.DIRECTORY / str(steps)
    try:
        manifest = checkpoint_files.read_manifest(path)
    except errors.Damaged as error:
        return str(error)
    replay = ", with its replay" if manifest.own_replay() else ", without a replay"
    if manifest.extra.get("store") == "dataset":
        replay = ""
    if manifest.replay_of is not None:
        replay = f", with the replay of step {manifest.replay_of:,}"
    return f"saved: the state of step {steps:,}{replay}"


def settle() -> None:
    """Makes XLA compute in the calling thread if NPROC allows only one thread.

    Handing a computation to another thread takes as long as a small policy. Has an
    effect only before JAX has a backend.
    """
    if os.environ.get("NPROC") == "1":
        jax.config.update("jax_cpu_enable_async_dispatch", False)


def main(arguments: Sequence[str]) -> int:
    """Starts a local run, or resumes it from its newest checkpoint.

    Args:
        arguments: run directory, `--wandb=MODE`, `--grace=SECONDS`, and with
            `--lock=DESCRIPTOR` the open file of the run's lock, as the launching
            process writes them; all but the first may be missing.

    Returns:
        The exit code.
    """
    directory, *rest = arguments
    path = Path(directory)
    flags = dict(each.removeprefix("--").split("=") for each in rest)
    supervision = Supervision(grace=float(flags.get("grace", Supervision.grace)))
    try:
        experiment = run_directory.read_experiment(path)
        settle()
        held = adopted(int(flags["lock"])) if "lock" in flags else locked(path)
        with held:
            resume = existing_runs.checkpoint_to_resume(path, local=True)
            start = 0 if resume is None else resume.counts.actor_steps
            try:
                ready = preflight.check(experiment, directory=path, start=start)
            except RunDirectoryError:  # of a dataset, which is a ValueError, too
                raise
            except ValueError as error:
                said = errors.in_flags(error, experiment)
                print(f"munchausen: {said}", file=sys.stderr)
                return 2
            wandb = cast(WandbMode, flags.get("wandb", "off"))
            run_experiment(experiment, path, "local", ready, resume, wandb, supervision)
    except RunStopped as error:
        print(f"munchausen: {error}", file=sys.stderr)
        return error.exit_code
    except RunFailed as error:
        print(f"munchausen: {error}", file=sys.stderr)
        return 1
    except RunDirectoryError as error:
        print(f"munchausen: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
