"""Reads a dataset, whatever it is kept in."""

from pathlib import Path

import environments
from agents.parts.types import Spec
from launch import checkpoint, logs
from launch.experiment import make_agent
from launch.offline import hdf5, minari_files, replay, scores
from launch.offline.dataset import Dataset, DatasetError
from launch.offline.native import Native, describe, family


def load(
    source: str, spec: Spec, environment: environments.Config | None = None
) -> Dataset:
    """The dataset that a name stands for.

    Args:
        source: an HDF5 file of D4RL's layout, the directory or the id of a Minari
            dataset, or a run directory, which stands for its newest replay.
        spec: of the environment to learn for; its actions are continuous.
        environment: its configuration. An HDF5 file does not say in which bounds its
            actions are, and may not say where episodes were cut short; without an
            environment the bounds are [-1, 1]. It also gives the reference returns.

    Raises:
        DatasetError: there is no such dataset, or it is not sound or does not fit.
    """
    if spec.num_actions:
        raise DatasetError(
            f"dataset {source}: the environment has {spec.num_actions} discrete "
            "actions; who learns from a dataset takes continuous ones"
        )
    dataset = _read(source, spec, environment)
    if dataset.reference is None and environment is not None:
        return dataset._replace(reference=scores.reference(environment))
    return dataset


def _read(source: str, spec: Spec, environment: environments.Config | None) -> Dataset:
    path = Path(source)
    if path.is_file() or path.suffix in hdf5.SUFFIXES:
        if path.suffix not in hdf5.SUFFIXES:
            raise DatasetError(f"{path} is no dataset: HDF5 files end in .hdf5 or .h5")
        if not path.is_file():
            raise DatasetError(f"{path}: no such file")
        native = Native() if environment is None else describe(environment)
        return hdf5.read(path, spec, native)
    name = None if environment is None else family(environment)
    if minari_files.is_dataset(path):
        return minari_files.read(path, spec, name)
    if (path / logs.CONFIG).is_file():
        return _read_run(path, spec, environment)
    if path.is_dir() and not minari_files.is_dataset(minari_files.root() / source):
        raise DatasetError(
            f"{path} is no dataset: neither a run directory nor a Minari dataset"
        )
    return minari_files.read(minari_files.locate(source), spec, name)


def _read_run(
    directory: Path, spec: Spec, environment: environments.Config | None
) -> Dataset:
    experiment = logs.read_experiment(directory)
    if environment is not None and experiment.environment != environment:
        raise DatasetError(
            f"{directory} acted in {experiment.environment}, not in {environment}: "
            "choose that environment, or another run"
        )
    if experiment.dataset:
        raise DatasetError(
            f"{directory} learned from {experiment.dataset} and stored nothing of its "
            "own: name that dataset, or a run that acted"
        )
    saved = checkpoint.newest(directory)
    n_step = make_agent(experiment, spec).storage.n_step
    return replay.read(directory, saved, spec, n_step=n_step)
