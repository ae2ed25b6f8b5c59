"""What the texts of `Experiment.initial` stand for: directories, and experiments."""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

from experiments.flags import OverrideError, did_you_mean
from launch.experiment import Experiment
from launch.runs import initial_networks, run_directory
from launch.runs.initial_networks import Learned


class Source(NamedTuple):
    """Where the first weights of a network come from.

    Attributes:
        learned: the networks that are there.
        network: the one that gives the weights.
        place: a run, a checkpoint of Hugging Face, or an experiment, any finished run
            of which may give the weights.
    """

    learned: Learned
    network: str
    place: Path | Experiment


def find(network: str, text: str, seed: int = 0) -> Source:
    """Reads a text of `Experiment.initial`; a directory comes before a name.

    Args:
        network: the network that begins with these weights.
        text: a directory or the name of an experiment, and `#network` if chosen.
        seed: of a named experiment.

    Raises:
        OverrideError: there is neither, or it has no such network.
        RunDirectoryError: what the directory holds cannot be read.
    """
    from experiments.names import EXPERIMENTS

    named, _, wanted = text.partition("#")
    place: Path | Experiment
    if Path(named).is_dir():
        place = Path(named)
        learned = _learned_at(network, place)
    elif named in EXPERIMENTS:
        place = dataclasses.replace(adopted(EXPERIMENTS[named]), seed=seed)
        learned = initial_networks.learned_by(place)
    else:
        hint = did_you_mean(named, EXPERIMENTS, "`munchausen list` prints experiments")
        raise OverrideError(
            f"--initial.{network} must be a directory with a finished run or a "
            f"checkpoint, or an experiment, got {named!r}{hint}"
        )
    try:
        taken = initial_networks.choose(network, learned, wanted)
    except ValueError as error:
        raise OverrideError(str(error)) from error
    return Source(learned, taken, place)


def _learned_at(network: str, directory: Path) -> Learned:
    known = initial_networks.is_pretrained(directory), run_directory.is_run(directory)
    if not any(known):
        raise OverrideError(
            f"--initial.{network} must be a directory with config.yaml of a run, or "
            f"config.json of a checkpoint of Hugging Face; {directory} has neither"
        )
    return initial_networks.learned_at(directory)


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
        given = source.learned.architectures[source.network]
        field, own = initial_networks.architecture(agent, network)
        if own is not None and type(own) is type(given):
            agent = dataclasses.replace(agent, **{field: given})
    return dataclasses.replace(experiment, agent=agent)
