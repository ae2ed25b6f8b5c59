"""Process titles: `ps` and `top` show which role a process plays."""

import setproctitle

from launch.experiment import Experiment


def set_title(role: str, experiment: Experiment) -> None:
    """Names this process `munchausen <role> <experiment>`."""
    setproctitle.setproctitle(f"munchausen {role} {experiment.name}")
