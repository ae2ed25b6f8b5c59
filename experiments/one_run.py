"""One run in the directory made for it; as a program, a local one.

`experiments.side_by_side` starts it as: python -m experiments.one_run RUN [--wandb=off]
"""

import dataclasses
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import jax
import setproctitle

from experiments import continuation, overrides
from experiments.overrides import OverrideError
from experiments.planning import Mode
from launch import checkpoint, faults, logs
from launch.checkpoint import Checkpoint, SaveFailed
from launch.dashboards import WandbMode
from launch.experiment import Experiment, check_devices, spec_of
from launch.lock import locked
from launch.logs import PRETRAINING, RunDirectoryError


class RunFailed(Exception):
    """A run ended before its time; the message says why and where its logs are."""


class RunStopped(Exception):
    """A signal ended a run; the message says what is left of it.

    Attributes:
        signal: its number.
    """

    def __init__(self, message: str, number: int):
        super().__init__(message)
        self.signal = number


@dataclasses.dataclass(frozen=True)
class Options:
    """What it takes beside the run directory.

    Attributes:
        wandb: whether Weights & Biases shows the run.
    """

    wandb: WandbMode = "off"


def launch(
    experiment: Experiment,
    directory: Path,
    mode: Mode,
    resume: Checkpoint | None = None,
    wandb: WandbMode = "off",
) -> None:
    """Runs one experiment in its directory, from the beginning or a checkpoint.

    Whoever calls it has locked the directory, before reading where the run goes on.

    Raises:
        RunFailed: it ended before its time.
        RunStopped: a signal ended it; it has saved itself.
    """
    role = "launcher" if mode == "processes" else mode
    setproctitle.setproctitle(f"munchausen {role} {experiment.name}")
    kept = f"{directory} keeps what it saved"
    # Imported late: only a program needs Reverb and with it TensorFlow.
    try:
        if mode == "local" and experiment.dataset:
            from launch.offline import local as offline

            offline.run(experiment, directory, resume=resume, wandb=wandb)
        elif mode == "local":
            from launch import local

            local.run(experiment, directory, resume=resume, wandb=wandb)
        else:
            from launch import program

            program.run(experiment, directory, mode, resume=resume, wandb=wandb)
    except (faults.RoleFailed, faults.NotFinite, SaveFailed) as error:
        raise RunFailed(f"{error}\n{kept}") from error
    except OSError as error:  # a disk that is full, or gone
        reason = str(error.strerror or error).lower()
        said = f"cannot write to {directory}: {reason}\n{kept}"
        raise RunFailed(said) from error
    except faults.Interrupted as error:
        left = _left(experiment, directory)
        raise RunStopped(f"{error}; {left}", error.signal) from error


def _left(experiment: Experiment, directory: Path) -> str:
    """What is left of a run that was stopped."""
    if continuation.is_complete(directory, experiment):
        return f"{directory} was complete"
    if checkpoint.reached(directory) or checkpoint.reached(directory / PRETRAINING):
        return f"--resume {directory} goes on from there"
    return "nothing was saved yet"


def settle() -> None:
    """Has XLA compute in the thread that asks for it, where it may have only one.

    To hand a computation to another thread takes as long as a small policy. Only of
    use before JAX has a backend.
    """
    if os.environ.get("NPROC") == "1":
        jax.config.update("jax_cpu_enable_async_dispatch", False)


def _check_devices(experiment: Experiment) -> None:
    """Refuses what this process cannot learn; who started it could not ask for devices.

    Raises:
        OverrideError: its devices cannot share the batches.
    """
    try:
        check_devices(experiment, spec_of(experiment))
    except ValueError as error:
        raise OverrideError(str(error)) from error


def main(arguments: Sequence[str]) -> int:
    """Starts the run, or goes on from its newest checkpoint; returns the exit code."""
    try:
        [directory], values = overrides.read(arguments, overrides.fields(Options()))
        options = overrides.replace(Options(), values, "--")
        path = Path(directory)
        experiment = logs.read_experiment(path)
        settle()
        _check_devices(experiment)
        with locked(path):
            resume = continuation.saved(path, local=True)
            launch(experiment, path, "local", resume, options.wandb)
    except RunStopped as error:
        print(f"munchausen: {error}", file=sys.stderr)
        return 128 + error.signal
    except RunFailed as error:
        print(f"munchausen: {error}", file=sys.stderr)
        return 1
    except (OverrideError, RunDirectoryError) as error:
        print(f"munchausen: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
