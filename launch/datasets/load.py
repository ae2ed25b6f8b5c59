"""Reads a dataset, whatever it is kept in."""

from collections.abc import Mapping
from pathlib import Path

import environments
from agents.parts.contract import Spec
from launch.build import make_agent
from launch.datasets import d4rl_scores, from_run, hdf5, minari_reading
from launch.datasets.dataset import Dataset
from launch.datasets.normalization import FINGERPRINT, Prepared, prepare
from launch.datasets.source_environment import Native, describe, family
from launch.errors import DatasetError
from launch.experiment import Experiment
from launch.runs import checkpoint, run_directory
from launch.runs.run_directory import PRETRAINING


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
        return dataset._replace(reference=d4rl_scores.reference(environment))
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
    if minari_reading.is_dataset(path):
        return minari_reading.read(path, spec, name)
    if (path / run_directory.CONFIG).is_file():
        return _read_run(path, spec, environment)
    if path.is_dir() and not minari_reading.is_dataset(minari_reading.root() / source):
        raise DatasetError(
            f"{path} is no dataset: neither a run directory nor a Minari dataset"
        )
    return minari_reading.read(minari_reading.locate(source), spec, name)


def _read_run(
    directory: Path, spec: Spec, environment: environments.Config | None
) -> Dataset:
    experiment = run_directory.read_experiment(directory)
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
    return from_run.read(directory, saved, spec, n_step=n_step)


def load_prepared(
    experiment: Experiment, spec: Spec, directory: Path | None = None
) -> Prepared:
    """The dataset of an experiment, as its agent sees it.

    Args:
        experiment: what is to learn.
        spec: of its environment.
        directory: of its run, which may have begun already.

    Raises:
        DatasetError: it cannot be read or does not fit the environment, or the run
            began with another one.
        ValueError: it cannot be prepared as wanted.
    """
    dataset = load(experiment.dataset, spec, experiment.environment)
    prepared = prepare(dataset.transitions, experiment.preparation)
    if directory is not None:
        _check_same(experiment.dataset, prepared.fingerprint, directory)
    return prepared


def _check_same(source: str, found: dict[str, int], directory: Path) -> None:
    """Refuses a dataset in the place of another, which a run's stages learned from."""
    for stage in (directory, directory / PRETRAINING):
        for extra in checkpoint.extras(stage):
            known = extra.get(FINGERPRINT, found)  # older runs did not look
            if known != found:
                raise DatasetError(
                    f"dataset {source} is not what {directory} has learned from: "
                    f"{_shown(known)} then, {_shown(found)} now; put that one back, or "
                    "train a new run"
                )


def _shown(fingerprint: Mapping[str, int]) -> str:
    checksum = format(fingerprint["checksum"], "08x")
    return f"{fingerprint['rows']} transitions with checksum {checksum}"
