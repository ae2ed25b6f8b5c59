"""What `train` refuses before a run starts or resumes."""

from pathlib import Path

from experiments.flags import OverrideError
from launch import errors, preflight
from launch import run as launch_run
from launch.experiment import Experiment, Mode
from launch.preflight import Ready
from launch.runs.dashboards import WandbMode


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
