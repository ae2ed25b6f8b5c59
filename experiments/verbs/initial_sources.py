"""What the texts of `Experiment.initial` stand for: directories, and experiments."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import agents
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


def find(network: str, text: str, experiment: Experiment) -> Source:
    """Reads a text of `Experiment.initial`; a directory comes before a name.

    Args:
        network: the network that begins with these weights.
        text: a directory or the name of an experiment, and `#network` if chosen.
        experiment: whose network that is; a named experiment has its seed, and, where
            the text is the default, its changes, see `_following`.

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
        source = EXPERIMENTS[named]
        base = EXPERIMENTS.get(experiment.name)
        if base is not None and base.initial.get(network) == text:
            source = _following(source, network, experiment, base)
        place = dataclasses.replace(adopted(source), seed=experiment.seed)
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


def _following(
    source: Experiment, network: str, experiment: Experiment, base: Experiment
) -> Experiment:
    """The default source of a network, with what a caller changed in an experiment.

    A run whose caller changed the task, a loss that its teacher must share, or the
    supervised policy, needs weights that were learned with the same change. The number
    of training prompts stays that of the source, which usually has more.

    Args:
        source: the experiment that gives the network its weights.
        network: of the experiment to run.
        experiment: the one to run.
        base: the same as it is defined.
    """
    shared = agents.find(experiment.agent_name).shared.get(network, ())
    environment = _changed(
        source.environment, experiment.environment, base.environment, but=("prompts",)
    )
    agent = _changed(source.agent, experiment.agent, base.agent, only=shared)
    old, new = base.initial.get("sft"), experiment.initial.get("sft")
    initial = {
        name: new if new and text == old else text
        for name, text in source.initial.items()
    }
    return dataclasses.replace(
        source, environment=environment, agent=agent, initial=initial
    )


def _changed(
    target: Any,
    new: Any,
    old: Any,
    *,
    only: Sequence[str] | None = None,
    but: Sequence[str] = (),
) -> Any:
    """A configuration with the fields in which another differs from what it was."""
    changes = {
        name: getattr(new, name)
        for name in differences(new, old)
        if name not in but and (only is None or name in only) and hasattr(target, name)
    }
    return dataclasses.replace(target, **changes)


def differences(left: Any, right: Any) -> list[str]:
    """Names of the fields of two configurations of one class that differ; else none."""
    if type(left) is not type(right):
        return []
    names = [field.name for field in dataclasses.fields(left)]
    return [name for name in names if getattr(left, name) != getattr(right, name)]


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
        source = find(network, text, experiment)
        given = source.learned.architectures[source.network]
        field, own = initial_networks.architecture(agent, network)
        if own is not None and type(own) is type(given):
            agent = dataclasses.replace(agent, **{field: given})
    return dataclasses.replace(experiment, agent=agent)
