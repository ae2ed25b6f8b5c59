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
from launch.policies import merge_beginnings, merge_record
from launch.policies.merge_record import Record
from launch.pretrained import config_file, safetensors, tokenizer
from launch.runs import initial_networks, initial_weights
from launch.runs.initial_networks import Learned, is_pretrained

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
        record: where the weights come from.
    """

    config: transformer.Config
    params: NetworkParams
    cosines: dict[str, float]
    record: Record


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
    merge_beginnings.check_kind(request.sources)
    for directory, each in zip(directories[1:], learned[1:], strict=True):
        config_of_other = _config(each, directory)
        try:
            initial_networks.check_fit(
                learned[0],
                merge_beginnings.network_of(learned[0]),
                each,
                merge_beginnings.network_of(each),
                said=str(directory),
            )
        except ValueError as error:
            raise PretrainedError(str(error)) from error
        _check_alike(config, config_of_other, directories[0], directory)
    record = merge_beginnings.find(
        request.sources, request.base, whole=request.fraction == 1
    )
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
        record,
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
    [params] = initial_weights.load([merge_beginnings.weights(directory)]).values()
    return params


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
        further={merge_record.FILE: merge_record.encode(found.record)},
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


def _config(learned: Learned, directory: Path) -> transformer.Config:
    config = learned.architectures.get(merge_beginnings.network_of(learned))
    if not isinstance(config, transformer.Config):
        raise PretrainedError(
            f"only networks of language agents can be merged, but {directory} is of "
            f"{learned.name}"
        )
    return config
