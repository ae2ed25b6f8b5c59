"""Merges the weights of language policies or reward models, and writes a checkpoint.

Of a run that learns no policy, such as one of `reward_model`, the network that it
learns is merged.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from agents.parts.contract import NetworkParams
from agents.parts.language import merging, transformer
from agents.parts.language.sequences import EOS
from launch.errors import PretrainedError
from launch.pretrained import config_file, safetensors, tokenizer
from launch.runs import initial_networks, initial_weights, run_directory
from launch.runs.initial_networks import POLICY, Learned, is_pretrained

Method = Literal["slerp", "lerp"]


class Request(NamedTuple):
    """What to merge.

    Attributes:
        sources: finished runs, or checkpoints of Hugging Face; at least one.
        base: the run or checkpoint with whose weights the sources began; None: unknown,
            which only the linear merge of whole weights allows.
        method: linear, or on the sphere.
        weight: of the last of two sources; None: all weigh the same.
        fraction: of the way from the base to the merge.
    """

    sources: tuple[Path, ...]
    base: Path | None = None
    method: Method = "slerp"
    weight: float | None = None
    fraction: float = 1.0


class Merged(NamedTuple):
    """A merged decoder.

    Attributes:
        config: of the decoder, with its vocabulary.
        params: of the decoder.
        cosines: between the task vectors of the first two sources, by layer; empty
            without a base or with one source.
    """

    config: transformer.Config
    params: NetworkParams
    cosines: dict[str, float]


def merge(request: Request) -> Merged:
    """Merges the policies of finished runs, or their reward models.

    Raises:
        RunDirectoryError: a source is neither a finished run nor a checkpoint, or it
            cannot be read.
        PretrainedError: a source is not of a language agent, or the sources do not fit.
    """
    directories = [*request.sources, *([request.base] if request.base else [])]
    learned = [initial_networks.learned_at(each) for each in directories]
    config = _config(learned[0], directories[0])
    _check_kind(request.sources, learned)
    for directory, each in zip(directories[1:], learned[1:], strict=True):
        config_of_other = _config(each, directory)
        try:
            initial_networks.check_fit(
                learned[0],
                _network(learned[0]),
                each,
                _network(each),
                said=str(directory),
            )
        except ValueError as error:
            raise PretrainedError(str(error)) from error
        _check_alike(config, config_of_other, directories[0], directory)
    _check_beginnings(request.sources, request.base)
    checkpoints = [each for each in directories if is_pretrained(each)]
    for other in checkpoints[1:]:
        tokenizer.check_pair(other, checkpoints[0])
    weights = [weights_of(each) for each in directories]
    tuned = weights[: len(request.sources)]
    base = weights[-1] if request.base else None
    params = merged(request, base, tuned)
    cosines = {}
    if base is not None and len(tuned) > 1:
        cosines = merging.cosines(base, tuned[0], tuned[1])
    vocabulary = int(np.shape(params["embed"])[0])
    return Merged(
        dataclasses.replace(config, vocabulary=vocabulary),
        params,
        {name: float(value) for name, value in cosines.items()},
    )


def merged(
    request: Request, base: NetworkParams | None, tuned: Sequence[NetworkParams]
) -> NetworkParams:
    """The merge of weights, as a request has it."""
    if len(tuned) == 1:
        whole = tuned[0]
    else:
        method = {"slerp": merging.slerp, "lerp": merging.lerp}[request.method]
        whole = method(tuned[0] if base is None else base, tuned, request.weight)
    return whole if base is None else merging.towards(base, whole, request.fraction)


def weights_of(directory: Path) -> NetworkParams:
    """The weights that a merge takes from a finished run or a checkpoint.

    Raises:
        RunDirectoryError: the run is not finished, or its weights cannot be read.
    """
    network = _network(initial_networks.learned_at(directory))
    origin = initial_weights.origin(network, directory, network)
    return initial_weights.load([origin])[network]


def save(request: Request, found: Merged, directory: Path) -> None:
    """Writes a merge as a checkpoint of Hugging Face.

    End tokens and tokenizer are those of the first source that has them.

    Raises:
        PretrainedError: the checkpoint cannot be written.
    """
    pretrained = [each for each in request.sources if is_pretrained(each)]
    words = [each for each in pretrained if tokenizer.files(each)]
    safetensors.save(
        directory,
        found.config,
        found.params,
        eos=config_file.read(pretrained[0]).eos if pretrained else (EOS,),
        tokenizer_of=words[0] if words else None,
    )


def _network(learned: Learned) -> str:
    return POLICY if POLICY in learned.params else min(learned.learned)


def _check_kind(sources: Sequence[Path], learned: Sequence[Learned]) -> None:
    """Refuses policies among reward models; a checkpoint may be either."""
    runs = [
        (source, _network(each))
        for source, each in zip(sources, learned, strict=False)  # then comes the base
        if not is_pretrained(source)
    ]
    for source, network in runs[1:]:
        first, other = runs[0]
        if network != other:
            raise PretrainedError(
                f"sources must all be policies or all be reward models, but {first} "
                f"learned {other} and {source} learned {network}: merge them apart"
            )


def _check_alike(
    first: transformer.Config, other: transformer.Config, one: Path, two: Path
) -> None:
    """Refuses decoders that compute differently although their shapes are equal."""
    left, right = _computation(first), _computation(other)
    for name, value in left.items():
        if right[name] != value:
            raise PretrainedError(
                f"decoders must agree in {name} to be merged, but {one} has {value} "
                f"and {two} has {right[name]}"
            )


def _computation(config: transformer.Config) -> dict[str, object]:
    """The fields of a decoder that shapes of weights do not show."""
    found = dataclasses.asdict(config)
    for name in ("vocabulary", "head", "hidden", "dtype", "remat"):
        del found[name]
    return found | {"query_scalar": config.query_scalar or config.head_size}


class _Lineage(NamedTuple):
    """Weights that came before those of a network, and its own.

    Attributes:
        own: name of the network's weights.
        known: names of all weights of the lineage that are known.
        first: the oldest of them, as a message calls it.
        whole: whether `first` is known to be the first.
    """

    own: str
    known: frozenset[str]
    first: str
    whole: bool


def _lineage(directory: Path) -> _Lineage:
    """Follows the first weights of a run back to random ones, or to a checkpoint."""
    network = _network(initial_networks.learned_at(directory))
    sha256 = initial_weights.origin(network, directory, network).sha256
    own, first = f"{sha256}#{network}", str(directory)
    known = {own}
    while run_directory.is_run(directory):  # one that gave weights may be gone
        experiment = run_directory.read_experiment(directory)
        found = [each for each in experiment.origins if each.network == network]
        if not found:
            first = f"random weights of seed {experiment.seed}"
            return _Lineage(own, frozenset(known | {first}), first, whole=True)
        [origin] = found
        known.add(f"{origin.sha256}#{origin.source}")
        first, network = origin.path, origin.source
        path = Path(origin.path)
        directory = path if is_pretrained(path) else initial_networks.run_of(path)
    return _Lineage(own, frozenset(known), first, whole=False)


def _check_beginnings(sources: Sequence[Path], base: Path | None) -> None:
    """Refuses sources that did not begin with the base, or not with shared weights.

    The mean of weights is of use only near weights that they share. Nothing is known
    of a checkpoint without its run, so that it is taken.
    """
    lineages = {each: _lineage(each) for each in sources}
    start = None if base is None else _lineage(base)
    first, *others = lineages
    for source, lineage in lineages.items():
        if start and start.own not in lineage.known and lineage.whole:
            raise PretrainedError(
                f"sources must have begun with the weights of --base {base}, but "
                f"{source} began with {lineage.first}"
            )
    for other in others:
        one, two = lineages[first], lineages[other]
        if one.whole and two.whole and not one.known & two.known:
            raise PretrainedError(
                f"sources must have begun with the same weights, but {first} began "
                f"with {one.first} and {other} with {two.first}: train them with the "
                "same source of --initial"
            )


def _config(learned: Learned, directory: Path) -> transformer.Config:
    config = learned.architectures.get(_network(learned))
    if not isinstance(config, transformer.Config):
        raise PretrainedError(
            f"only networks of language agents can be merged, but {directory} is of "
            f"{learned.name}"
        )
    return config
