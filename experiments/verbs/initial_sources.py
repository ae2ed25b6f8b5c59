"""What the texts of `Experiment.initial` stand for: finished runs, and experiments."""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

from experiments.flags import OverrideError, did_you_mean
from launch import errors
from launch.experiment import Experiment
from launch.runs import initial_networks, run_directory


class Source(NamedTuple):
    """Where the first weights of a network come from.

    Attributes:
        experiment: the experiment that learns them.
        directory: its run; None: any finished run of that experiment.
        network: the network that is taken.
    """

    experiment: Experiment
    directory: Path | None
    network: str


def find(network: str, text: str, seed: int = 0) -> Source:
    """Reads a text of `Experiment.initial`; a directory comes before a name.

    Args:
        network: the network that begins with these weights.
        text: a directory or the name of an experiment, and `#network` if chosen.
        seed: of a named experiment.

    Raises:
        OverrideError: there is neither, or it has no such network.
        RunDirectoryError: the directory holds no run of this version.
    """
    from experiments.names import EXPERIMENTS

    place, _, wanted = text.partition("#")
    directory = Path(place) if Path(place).is_dir() else None
    if directory is not None:
        experiment = run_directory.read_experiment(directory)
    elif place in EXPERIMENTS:
        experiment = dataclasses.replace(adopted(EXPERIMENTS[place]), seed=seed)
    else:
        hint = did_you_mean(place, EXPERIMENTS, "`munchausen list` prints experiments")
        raise OverrideError(
            f"--initial.{network} must be the directory of a finished run, or an "
            f"experiment, got {place!r}{hint}"
        )
    try:
        learned = initial_networks.learned_by(experiment)
        taken = initial_networks.choose(network, learned, wanted)
    except ValueError as error:
        raise OverrideError(errors.in_flags(error, experiment)) from error
    return Source(experiment, directory, taken)


def adopted(experiment: Experiment) -> Experiment:
    """The experiment with the architectures that its first weights have.

    Args:
        experiment: whose agent may have other architectures.

    Raises:
        OverrideError: see `find`.
        RunDirectoryError: see `find`.
    """
    agent: Any = experiment.agent
    for network, text in experiment.initial.items():
        source = find(network, text)
        given = initial_networks.learned_by(source.experiment).architectures
        field, own = initial_networks.architecture(agent, network)
        if own is not None and type(own) is type(given[source.network]):
            agent = dataclasses.replace(agent, **{field: given[source.network]})
    return dataclasses.replace(experiment, agent=agent)
