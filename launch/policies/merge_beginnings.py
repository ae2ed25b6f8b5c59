"""Where the weights of a merge's sources come from, and whether they may be merged.

The mean of weights is of use only near weights that the sources share.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import agents
from launch.errors import PretrainedError
from launch.experiment import Origin
from launch.policies import merge_record
from launch.policies.merge_record import Record
from launch.runs import initial_networks, initial_weights, run_directory
from launch.runs.initial_networks import POLICY, Learned, is_pretrained


def network_of(learned: Learned) -> str:
    """The network that is merged: the policy, or else the one that the run learns."""
    return POLICY if POLICY in learned.params else min(learned.learned)


def weights(directory: Path) -> Origin:
    """The weights that a merge takes from a finished run or a checkpoint.

    Raises:
        RunDirectoryError: the run is not finished, or has no usable checkpoint.
    """
    network = network_of(initial_networks.learned_at(directory))
    return initial_weights.origin(network, directory, network)


def check_kind(sources: Sequence[Path]) -> None:
    """Refuses policies among reward models, whose shapes are equal.

    A checkpoint that does not tell what it is may be either.

    Raises:
        PretrainedError: the sources differ.
    """
    networks = {source: _kind(source) for source in sources}
    known = [(source, kind) for source, kind in networks.items() if kind is not None]
    for source, kind in known[1:]:
        first, other = known[0]
        if kind != other:
            raise PretrainedError(
                f"sources must all be policies or all be reward models, but {first} "
                f"learned {other} and {source} learned {kind}: merge them apart"
            )


def _kind(source: Path) -> str | None:
    if not is_pretrained(source):
        return network_of(initial_networks.learned_at(source))
    record = merge_record.read(source)
    return None if record is None else record.network


def find(sources: Sequence[Path], base: Path | None, *, whole: bool) -> Record:
    """Checks the beginnings of sources, and describes those of their merge.

    Nothing is known of a checkpoint that does not tell, so that it is taken.

    Args:
        sources: finished runs or checkpoints.
        base: with whose weights the sources began.
        whole: whether the merge goes the whole way from the base.

    Raises:
        PretrainedError: the sources did not begin with the base, do not share their
            first weights, or are measured from different weights.
    """
    lineages = {each: _lineage(each) for each in sources}
    if base is not None:
        _check_base(lineages, base)
    _check_shared(lineages)
    return Record(
        next((kind for each in sources if (kind := _kind(each))), POLICY),
        tuple(lineages[each].own for each in sources),
        whole and len(sources) == 1,
        _measured_from(sources),
    )


class _Lineage(NamedTuple):
    """The weights of a network, and those that came before them.

    Attributes:
        own: the network's weights.
        same: names of these weights, and of those of which they are a copy.
        known: names of all weights of the lineage that are known.
        random: the random weights that were the first; empty: unknown.
    """

    own: Origin
    same: frozenset[str]
    known: frozenset[str]
    random: str


class _Step(NamedTuple):
    """From weights to those before them.

    Attributes:
        before: with which the weights began, or of which they are a copy.
        copied: whether they are a copy.
        random: the random weights with which they began.
    """

    before: Origin | None = None
    copied: bool = False
    random: str = ""


def _lineage(directory: Path) -> _Lineage:
    own = weights(directory)
    same = {_name(own)}
    known = set(same)
    copied, step = True, _step(own)
    while step.before is not None:
        known.add(_name(step.before))
        copied = copied and step.copied
        if copied:
            same.add(_name(step.before))
        step = _step(step.before)
    if step.random:
        known.add(step.random)
    return _Lineage(own, frozenset(same), frozenset(known), step.random)


def _step(origin: Origin) -> _Step:
    path = Path(origin.path)
    if is_pretrained(path):
        record = merge_record.read(path)
        if record is not None and record.copied:
            return _Step(record.sources[0], copied=True)
        return _Step()
    run = initial_networks.run_of(path)
    if not run_directory.is_run(run):  # one that gave weights may be gone
        return _Step()
    experiment = run_directory.read_experiment(run)
    for each in experiment.origins:
        if each.network == origin.source:
            return _Step(each)
    return _Step(random=f"random weights of seed {experiment.seed}")


def _name(origin: Origin) -> str:
    return f"{origin.sha256}#{origin.source}"


def _check_base(lineages: Mapping[Path, _Lineage], base: Path) -> None:
    start = _lineage(base)
    for source, lineage in lineages.items():
        if lineage.random and not start.same & lineage.known:
            raise PretrainedError(
                f"sources must have begun with the weights of --base {base}, but "
                f"{source} began with {lineage.random}"
            )


def _check_shared(lineages: Mapping[Path, _Lineage]) -> None:
    first, *others = lineages
    for other in others:
        one, two = lineages[first], lineages[other]
        if one.random and two.random and not one.known & two.known:
            raise PretrainedError(
                f"sources must have begun with the same weights, but {first} began "
                f"with {one.random} and {other} with {two.random}: train them with the "
                "same source of --initial"
            )


def _measured_from(sources: Sequence[Path]) -> tuple[Origin, ...]:
    """The weights from which all sources measure their outputs."""
    known = [
        (source, found)
        for source in sources
        if (found := _measured_by(source)) is not None
    ]
    for source, found in known[1:]:
        first, others = known[0]
        if list(map(_name, found)) != list(map(_name, others)):
            network = [*found, *others][0].network
            raise PretrainedError(
                f"sources must be measured from the same {network}, but {first} and "
                f"{source} were trained with different ones: train them with the same "
                f"--initial.{network}"
            )
    return known[0][1] if known else ()


def _measured_by(source: Path) -> tuple[Origin, ...] | None:
    """From which weights a source measures its outputs; None if it does not tell."""
    if is_pretrained(source):
        record = merge_record.read(source)
        return None if record is None else record.measured_from
    experiment = run_directory.read_experiment(source)
    network = network_of(initial_networks.learned_at(source))
    start = agents.find(experiment.agent_name).measured_from.get(network)
    return tuple(each for each in experiment.origins if each.network == start)
