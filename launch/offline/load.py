"""Reads a dataset, whatever its layout."""

from pathlib import Path

import numpy as np

from agents.parts.types import Spec, Transition
from launch.offline.dataset import Dataset


def load(source: str, spec: Spec) -> Dataset:
    """The dataset in an HDF5 file of D4RL's layout.

    Raises:
        ValueError: there is no such file.
    """
    import h5py

    if not Path(source).is_file():
        raise ValueError(f"dataset {source}: no such file")
    with h5py.File(source) as file:
        columns = {name: np.asarray(file[name]) for name in file}
    transitions = Transition(
        columns["observations"].astype(np.float32),
        columns["actions"].astype(np.float32),
        columns["rewards"].astype(np.float32),
        1 - columns["terminals"].astype(np.float32),
        columns["next_observations"].astype(np.float32),
    )
    ends = columns["terminals"] | columns["timeouts"]
    return Dataset(source, transitions, ends)
