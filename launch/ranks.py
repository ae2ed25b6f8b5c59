"""Several processes that MPI or Slurm starts with one command."""

import os
from collections.abc import Mapping

from launch.surroundings import Unfit

# Variables with the number of processes: of Open MPI, of MPICH, of `srun`.
_SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS")


def check(mode: str, environment: Mapping[str, str] = os.environ) -> None:
    """Refuses a program that each of several ranks would start for itself.

    Local runs are accepted: a user may give each rank a seed. So are runs of Ray, which
    `ray symmetric-run` starts on the first rank only.

    Args:
        mode: how the run runs.
        environment: variables of this process.

    Raises:
        Unfit: there are several ranks.
    """
    if mode not in ("threads", "processes"):
        return
    for name in _SIZES:
        size = environment.get(name, "1")
        if size.isdigit() and int(size) > 1:
            raise Unfit(
                f"exactly one process must start a program, but {name} is {size}",
                "use one task, or --launch ray, which places roles on several machines "
                "(`munchausen cluster slurm`)",
            )
