"""What `train` refuses before a run starts or resumes."""

from pathlib import Path

from experiments.flags import OverrideError
from launch import preflight
from launch import run as launch_run
from launch.experiment import Experiment, Mode
from launch.runs import dashboards
from launch.runs.dashboards import WandbMode


def check(
    experiment: Experiment,
    mode: Mode,
    wandb: WandbMode,
    at_once: int = 1,
    *,
    here: bool,
    directory: Path | None = None,
) -> None:
    """Refuses what cannot run before anything starts.

    Args:
        experiment: what is to run.
        mode: how.
        wandb: whether Weights & Biases shows it.
        at_once: how many such runs share the machine's memory.
        here: whether this process will learn, not one that it starts.
        directory: of a run that resumes.

    Raises:
        OverrideError: agent, environment and machine do not fit each other.
    """
    if here and mode == "local":
        launch_run.settle()
    try:
        dashboards.check(wandb)
        preflight.check(
            experiment,
            local=mode == "local",
            at_once=at_once,
            here=here,
            directory=directory,
        )
    except ValueError as error:
        raise OverrideError(" ".join(str(error).split())) from error
