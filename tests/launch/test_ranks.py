"""Programs that MPI or Slurm starts several times."""

import pytest

from launch import ranks
from launch.surroundings import Unfit


@pytest.mark.parametrize("name", ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"])
def test_several_ranks_are_refused_for_programs_of_one_machine(name):
    for mode in ("threads", "processes"):
        with pytest.raises(Unfit) as refused:
            ranks.check(mode, {name: "3"})
        assert str(refused.value) == (
            f"exactly one process must start a program, but {name} is 3; use one task, "
            "or --launch ray, which places roles on several machines "
            "(`munchausen cluster slurm`)"
        )
    for mode in ("local", "ray"):
        ranks.check(mode, {name: "3"})


def test_one_rank_is_accepted():
    ranks.check("processes", {"SLURM_STEP_NUM_TASKS": "1", "SLURM_NTASKS": "7"})
    ranks.check("processes", {})
