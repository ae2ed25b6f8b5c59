"""What every role of a run is given."""

from pathlib import Path
from typing import NamedTuple

from launch.experiment import Experiment
from launch.runs.checkpoint import Checkpoint
from launch.runs.dashboards import WandbMode
from launch.runs.logs import Counts


class Run(NamedTuple):
    """What every role of a run is told.

    Attributes:
        experiment: what runs.
        directory: its run directory.
        resume: where it goes on; None at the beginning.
        wandb: whether Weights & Biases is to show it, too.
    """

    experiment: Experiment
    directory: Path
    resume: Checkpoint | None
    wandb: WandbMode = "off"

    @property
    def start(self) -> Counts:
        """The counters at the start."""
        return Counts() if self.resume is None else self.resume.counts


REPORT_SECONDS = 0.2  # between two reports of a role to the coordinator
