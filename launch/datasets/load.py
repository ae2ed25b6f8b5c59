"""Reads a dataset from an HDF5 or npz file, a Minari dataset or a run directory."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

import environments
from agents.parts.contract import Spec
from launch.build import make_agent
from launch.datasets import (
    column_file,
    d4rl_layout,
    d4rl_scores,
    environment_differences,
    from_run,
    minari_reading,
)
from launch.datasets.dataset import Dataset
from launch.datasets.normalization import FINGERPRINT, Prepared, prepare
from launch.datasets.source_environment import Native, describe
from launch.errors import DatasetError
from launch.experiment import REFUSE_FLAWS, DatasetReading, Experiment
from launch.runs import checkpoint, run_directory
from launch.runs.run_directory import PRETRAINING


def load(
    source: str,
    spec: Spec,
    environment: environments.Config | None = None,
    reading: DatasetReading = REFUSE_FLAWS,
) -> Dataset:
    """Reads the dataset with a path or an id.

    Args:
        source: an HDF5 or npz file of D4RL's layout, the directory or the id of a
            Minari dataset, or a run directory, whose newest replay is read.
        spec: of the environment to learn for; its actions are continuous.
        environment: the environment's configuration. An HDF5 file lacks the bounds of
            its actions, and may lack the steps at which episodes were cut short;
            without an environment the bounds are [-1, 1]. The configuration also gives
            the reference returns.
        reading: what to do with flaws of files and Minari datasets.

    Raises:
        DatasetError: there is no such dataset, or it is not sound or does not fit.
    """
    if spec.num_actions:
        raise DatasetError(
            f"dataset {source}: learning from a dataset needs continuous actions, the "
            f"environment has {spec.kind} ones"
        )
    dataset = _read(source, spec, environment, reading)
    if dataset.reference is None and environment is not None:
        return dataset._replace(reference=d4rl_scores.reference(environment))
    return dataset


def _read(
    source: str,
    spec: Spec,
    environment: environments.Config | None,
    reading: DatasetReading,
) -> Dataset:
    path = Path(source)
    if column_file.is_file(path):
        return _read_file(path, spec, environment, reading)
    if minari_reading.is_dataset(path):
        return minari_reading.read(path, spec, environment, reading)
    if os.path.isfile(path / run_directory.CONFIG):
        dataset = _read_run(path, spec, environment)
        if reading == REFUSE_FLAWS:
            return dataset
        return dataset._replace(
            notes=(
                f"{path}: --dataset.clip_actions and --dataset.skip_bad_episodes "
                "have no effect on a run's replay",
            )
        )
    if os.path.isdir(path) and not minari_reading.is_dataset(
        minari_reading.root() / source
    ):
        raise DatasetError(
            f"{path} must be a run directory or a Minari dataset, but is neither"
        )
    located = minari_reading.locate(source)
    return minari_reading.read(located, spec, environment, reading)


def _read_file(
    path: Path,
    spec: Spec,
    environment: environments.Config | None,
    reading: DatasetReading,
) -> Dataset:
    if environment is None:
        return d4rl_layout.read(path, spec, Native(), reading)
    dataset = d4rl_layout.read(path, spec, describe(environment), reading)
    lines = environment_differences.check_file(path, environment)
    return dataset._replace(notes=(*lines, *dataset.notes))


def _read_run(
    directory: Path, spec: Spec, environment: environments.Config | None
) -> Dataset:
    experiment = run_directory.read_experiment(directory)
    if environment is not None and experiment.environment != environment:
        raise DatasetError(
            f"{directory} acted in {experiment.environment}, not in {environment}: "
            "choose the run's environment, or another run"
        )
    if experiment.dataset:
        raise DatasetError(
            f"{directory} learned from {experiment.dataset} and stored no transitions: "
            "use that dataset, or a run that acted"
        )
    saved = checkpoint.newest(directory)
    return from_run.read(directory, saved, spec, make_agent(experiment, spec).storage)


def load_prepared(
    experiment: Experiment, spec: Spec, directory: Path | None = None
) -> Prepared:
    """Reads the dataset of an experiment and prepares it for the agent.

    Args:
        experiment: the experiment to run.
        spec: of its environment.
        directory: the run directory; if the run has begun, the datasets are compared.

    Raises:
        DatasetError: the dataset cannot be read or does not fit the environment, or the
            run began with another dataset.
        ValueError: the dataset cannot be prepared as configured.
    """
    dataset = load(
        experiment.dataset, spec, experiment.environment, experiment.dataset_reading
    )
    prepared = prepare(dataset.transitions, experiment.preparation)
    prepared = _as_acted(experiment.dataset, prepared, spec)
    prepared = prepared._replace(notes=dataset.notes)
    if directory is not None:
        _check_same(experiment.dataset, prepared.fingerprint, directory)
    return prepared


def _as_acted(source: str, prepared: Prepared, spec: Spec) -> Prepared:
    """Observations of the type that the policy sees, unless they are normalised.

    Networks divide uint8 by 255, and only that.

    Raises:
        DatasetError: an observation is not of the environment's integers.
    """
    kind = spec.observation.dtype
    if prepared.networks or not np.issubdtype(kind, np.integer):
        return prepared
    columns = {}
    for name in ("observation", "next_observation"):
        given = getattr(prepared.transitions, name)
        with np.errstate(invalid="ignore"):
            columns[name] = given.astype(kind)
        bad = np.argwhere(columns[name] != given)
        if len(bad):
            row, value = bad[0][0], given[tuple(bad[0])]
            raise DatasetError(
                f"{source}: {name} of transition {row} must be {kind}, as the "
                f"environment's are, got {value:.6g}; correct the file, or add "
                "--preparation.normalize_observations true"
            )
    return prepared._replace(transitions=prepared.transitions._replace(**columns))


def _check_same(source: str, found: dict[str, int], directory: Path) -> None:
    """Raises DatasetError if a run's stages have learned from another dataset."""
    for stage in (directory, directory / PRETRAINING):
        for extra in checkpoint.extras(stage):
            known = extra.get(FINGERPRINT, found)  # older runs did not save it
            if known != found:
                raise DatasetError(
                    f"dataset {source} is not the one {directory} has learned from: "
                    f"{_shown(known)} then, {_shown(found)} now; restore the old one, "
                    "or train a new run"
                )


def _shown(fingerprint: Mapping[str, int]) -> str:
    checksum = format(fingerprint["checksum"], "08x")
    return f"{fingerprint['rows']} transitions with checksum {checksum}"
