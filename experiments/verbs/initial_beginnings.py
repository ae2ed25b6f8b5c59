"""Refuses a network that is measured from another one, but did not begin with it.

A learned reward is the difference from what the supervised policy `sft` gives, see
`agents.parts.language.reward`. With the wrong `sft` each reward has an unrelated number
added to it, and nothing else would show that.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import agents
from experiments.flags import OverrideError
from experiments.verbs import initial_sources
from experiments.verbs.initial_sources import Source
from launch.experiment import Experiment, Origin
from launch.policies import merge_record
from launch.runs import existing_runs, initial_networks, initial_weights


class _Weights(NamedTuple):
    """Weights that two networks may share.

    Attributes:
        files: the hash of the files that hold them; of an experiment that has no
            finished run, the experiment.
        network: its name there.
    """

    files: str | Experiment
    network: str


def check(experiment: Experiment, sources: Mapping[str, Source], runs: str) -> None:
    """Compares the first weights of networks with those from which they are measured.

    Such a network either begins with the same weights, or continues a run that was
    measured from them. Of a checkpoint that `munchausen merge` did not write nothing is
    known, so the user is told what it must be.

    Args:
        experiment: the experiment to begin.
        sources: of the first weights of its networks.
        runs: directory with the runs of named experiments.

    Raises:
        OverrideError: a network began with other weights.
        RunDirectoryError: a run cannot be read.
    """
    for network, start in agents.find(experiment.agent_name).measured_from.items():
        if network not in sources or start not in sources:
            continue
        own, first = sources[network], sources[start]
        wanted = _of_source(first, runs)
        if _of_source(own, runs) == wanted:
            continue
        if _tells_nothing(own):
            print(
                f"--initial.{network}: {own.place} does not tell with which policy it "
                f"began; --initial.{start} must be that policy",
                flush=True,
            )
            continue
        found, said = _beginning(own, start, runs)
        if found != wanted:
            raise OverrideError(
                f"--initial.{network} is measured from --initial.{start}, so it must "
                f"have begun with the same weights, but {said}"
            )


def _tells_nothing(source: Source) -> bool:
    place, run = source.place, source.learned.experiment
    return isinstance(place, Path) and run is None and merge_record.read(place) is None


def _of_source(source: Source, runs: str) -> _Weights:
    """The weights of a source; a named experiment may have a finished run."""
    place = source.place
    if isinstance(place, Experiment):
        [entry] = existing_runs.find(runs, [place])
        if entry.directory is None or entry.state != "complete":
            return _Weights(place, source.network)
        place = entry.directory
    return _of_origin(initial_weights.origin("", place, source.network))


def _of_origin(origin: Origin) -> _Weights:
    """The weights that an origin names, or those of which they are a copy."""
    record = merge_record.read(Path(origin.path))
    if record is not None and record.copied:
        return _of_origin(record.sources[0])
    return _Weights(origin.sha256, origin.source)


def _beginning(source: Source, start: str, runs: str) -> tuple[_Weights | None, str]:
    """The weights from which a source's network was measured, and how to choose them.

    Args:
        source: of the network.
        start: name of the network from which it was measured.
        runs: directory with the runs of named experiments.
    """
    learner, place = source.learned.experiment, source.place
    if isinstance(place, Experiment):
        text = place.initial.get(start)
        if text is None:
            return None, _unknown(place.name, start)
        first = initial_sources.find(start, text, place)
        said = f"{place.name} begins with {text}: choose --initial.{start} {text}"
        return _of_source(first, runs), said
    record = merge_record.read(place)
    if record is not None:
        known = record.measured_from
    else:
        assert learner is not None, "a checkpoint that tells nothing is taken"
        known = learner.origins
    origins = [each for each in known if each.network == start]
    if not origins:
        return None, _unknown(str(place), start)
    [origin] = origins
    text = _text(origin)
    said = f"{place} began with {text}: choose --initial.{start} {text}"
    return _of_origin(origin), said


def _unknown(name: str, start: str) -> str:
    return f"{name} has no network {start}: choose one source for both, or another run"


def _text(origin: Origin) -> str:
    """What `--initial` takes for the weights of an origin."""
    path = Path(origin.path)
    if initial_networks.is_pretrained(path):
        return origin.path
    return f"{initial_networks.run_of(path)}#{origin.source}"
