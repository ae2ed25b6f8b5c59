"""Reads and writes Gemma checkpoints of Hugging Face: `config.json` and safetensors.

A checkpoint is a directory with `model.safetensors`, or with several files and
`model.safetensors.index.json`. Tensors are read and written one at a time.
"""

import contextlib
import json
import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import chex
import jax
import numpy as np

from agents.parts.contract import NetworkParams
from agents.parts.language import transformer
from agents.parts.language.sequences import EOS
from agents.parts.language.transformer import Config
from launch.errors import PretrainedError
from launch.pretrained import config_file, config_writing, extra, tensors, tokenizer

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
SHARD_BYTES = 5_000_000_000  # as Transformers writes by default
_DTYPES = ("F32", "BF16", "F16")


class Checkpoint(NamedTuple):
    """A pretrained language model.

    Attributes:
        config: of the decoder.
        params: of the decoder, numpy arrays in float32.
        eos: ids that end a completion. Our generation ends at the first, 1.
        skipped: names of tensors of the image encoder, which were not loaded.
    """

    config: Config
    params: NetworkParams
    eos: tuple[int, ...]
    skipped: tuple[str, ...]


class _Held(NamedTuple):
    """A tensor in an open file."""

    file: Any
    name: str

    def shape(self) -> tuple[int, ...]:
        return tuple(self.file.get_slice(self.name).get_shape())

    def dtype(self) -> str:
        return str(self.file.get_slice(self.name).get_dtype())

    def read(self) -> np.ndarray:
        return np.asarray(self.file.get_tensor(self.name)).astype(np.float32)


def load(directory: Path) -> Checkpoint:
    """Reads a checkpoint of Gemma 2 or Gemma 3.

    The image encoder of a multimodal one is skipped, and a printed line names it.

    Args:
        directory: of the checkpoint, as `save_pretrained` of Transformers writes it.

    Raises:
        PretrainedError: it cannot be read; or a tensor is missing, is not one of the
            decoder's, or has not the shape that `config.json` implies.
    """
    described = config_file.read(directory)
    with contextlib.ExitStack() as stack:
        text, head, skipped = _opened(stack, directory, described)
        params = tensors.gather(described.config, lambda name: text[name].read())
        if head is not None and not np.array_equal(head.read(), params["embed"]):
            raise PretrainedError(
                f"{directory}: {head.name} must be left out or equal "
                f"{text[tensors.EMBEDDING].name}, as Gemma ties them, but it differs"
            )
    if skipped:
        parts = " and ".join(sorted({name.split(".")[0] for name in skipped}))
        print(f"{directory}: skipped {len(skipped)} tensors of {parts}", flush=True)
    return Checkpoint(described.config, params, described.eos, tuple(skipped))


def check(directory: Path) -> None:
    """Refuses a checkpoint whose tensors do not fit `config.json`; reads no weights.

    Raises:
        PretrainedError: see `load`.
    """
    with contextlib.ExitStack() as stack:
        _opened(stack, directory, config_file.read(directory))


def _opened(
    stack: contextlib.ExitStack, directory: Path, described: config_file.Described
) -> tuple[dict[str, _Held], _Held | None, list[str]]:
    """The decoder's tensors, the head if there is one, and the names left out."""
    held = _open(stack, directory)
    skipped = []
    if described.multimodal:
        skipped = [name for name in held if tensors.is_vision(name)]
    text = {name: each for name, each in held.items() if name not in skipped}
    head = text.pop(tensors.HEAD, None)
    _check(directory, text, tensors.shapes(described.config))
    return text, head, skipped


def _open(stack: contextlib.ExitStack, directory: Path) -> dict[str, _Held]:
    """Opens all files of a checkpoint; returns their tensors by plain name."""
    index = None if (directory / WEIGHTS).exists() else _read_index(directory)
    files = [WEIGHTS] if index is None else sorted({*index.values()})
    held: dict[str, _Held] = {}
    where: dict[str, str] = {}
    for name in files:
        file = _open_file(stack, directory / name)
        for tensor in file.keys():
            plain = tensors.plain(tensor)
            if plain in held:
                raise PretrainedError(
                    f"{directory} must hold each tensor once, but {held[plain].name} "
                    f"and {tensor} of {name} are the same"
                )
            held[plain] = _Held(file, tensor)
            where[tensor] = name
    for tensor, name in (index or {}).items():
        if where.get(tensor) != name:
            raise PretrainedError(
                f"{directory / INDEX} names {tensor} in {name}, which must hold it, "
                "but does not: fetch the checkpoint again"
            )
    return held


def _read_index(directory: Path) -> dict[str, str]:
    """The file of each tensor of a checkpoint of several files."""
    path = directory / INDEX
    if not path.exists():
        raise PretrainedError(
            f"a checkpoint must have {WEIGHTS} or {INDEX}, but {directory} has neither"
        )
    files = config_file.read_json(path).get("weight_map")
    if not isinstance(files, dict) or not all(
        isinstance(name, str) and Path(name).name == name for name in files.values()
    ):
        raise PretrainedError(
            f"{path} must have a weight_map, which names the file of each tensor"
        )
    return files


def _open_file(stack: contextlib.ExitStack, path: Path) -> Any:
    library = extra.library("safetensors", path)
    try:
        # Numpy has no bfloat16, so tensors pass through JAX arrays.
        return stack.enter_context(library.safe_open(path, framework="flax"))
    except (OSError, library.SafetensorError) as error:
        reason = " ".join(str(error).split())
        raise PretrainedError(f"cannot read {path}: {reason}") from error


def _check(
    directory: Path,
    held: Mapping[str, _Held],
    wanted: Mapping[str, tuple[int, ...]],
) -> None:
    """Refuses tensors that are missing, surplus, misshapen or of another type."""
    implied = f"{directory / config_file.CONFIG} implies"
    for name, shape in wanted.items():
        if name not in held:
            missing = len(wanted.keys() - held.keys())
            more = f"; {missing} tensors are missing" if missing > 1 else ""
            raise PretrainedError(
                f"{directory} must hold {name} of shape {[*shape]}, as {implied}, but "
                f"does not{more}"
            )
    for name, each in held.items():
        if name not in wanted:
            raise PretrainedError(
                f"{directory} must hold only the tensors that {implied}, but it has "
                f"{each.name} of shape {[*each.shape()]}"
            )
        if each.shape() != wanted[name]:
            raise PretrainedError(
                f"{directory}: {each.name} must have the shape {[*wanted[name]]}, as "
                f"{implied}, got {[*each.shape()]}"
            )
        if each.dtype() not in _DTYPES:
            raise PretrainedError(
                f"{directory}: {each.name} must be of type {', '.join(_DTYPES)}, got "
                f"{each.dtype()}; quantised weights cannot be read"
            )


def save(
    directory: Path,
    config: Config,
    params: NetworkParams,
    *,
    eos: tuple[int, ...] = (EOS,),
    tokenizer_of: Path | None = None,
    further: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Writes a checkpoint that Transformers loads, in float32.

    Args:
        directory: to make; it must not exist, or be empty.
        config: of the decoder; its `vocabulary` must be set.
        params: of the decoder.
        eos: ids that end a completion.
        tokenizer_of: a checkpoint whose tokenizer's files are copied.
        further: contents of further JSON files, by the file's name.
        shard_bytes: largest size of one file, unless a single tensor is larger.

    Raises:
        PretrainedError: the directory holds something or cannot be written, or
            Transformers has no such model.
    """
    described = config_writing.encode(config, eos)
    shapes = jax.eval_shape(lambda: transformer.init(jax.random.key(0), config))
    chex.assert_trees_all_equal_shapes(shapes, params)
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise PretrainedError(
            f"a checkpoint needs a new or empty directory, but {directory} holds "
            "something: choose another"
        )
    library = extra.library("safetensors", directory)
    draft = directory.with_name(f".munchausen-{os.getpid()}-{directory.name}")
    try:
        draft.mkdir(parents=True)
        for name, contents in {config_file.CONFIG: described, **further}.items():
            _write_json(draft / name, contents)
        _write_weights(draft, config, params, shard_bytes)
        for file in tokenizer.files(tokenizer_of) if tokenizer_of else ():
            shutil.copy(file, draft)
        draft.replace(directory)
    except (OSError, library.SafetensorError) as error:
        reason = " ".join(str(error).split())
        raise PretrainedError(f"cannot write {directory}: {reason}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write_weights(
    directory: Path, config: Config, params: NetworkParams, shard_bytes: int
) -> None:
    sizes = {
        name: 4 * math.prod(shape) for name, shape in tensors.shapes(config).items()
    }
    shards = _shards(sizes, shard_bytes)
    arrays = tensors.scatter(params)
    if len(shards) == 1:
        _write_file(directory / WEIGHTS, dict(arrays))
        return
    files: dict[str, str] = {}
    for i, names in enumerate(shards):
        file = f"model-{i + 1:05}-of-{len(shards):05}.safetensors"
        _write_file(directory / file, {name: next(arrays)[1] for name in names})
        files |= dict.fromkeys(names, file)
    total = sum(sizes.values())
    metadata = {"total_parameters": total // 4, "total_size": total}
    _write_json(directory / INDEX, {"metadata": metadata, "weight_map": files})


def _shards(sizes: Mapping[str, int], limit: int) -> list[list[str]]:
    """Names of the tensors of each file, in order, from each tensor's bytes."""
    shards: list[list[str]] = [[]]
    used = 0
    for name, size in sizes.items():
        if shards[-1] and used + size > limit:
            shards.append([])
            used = 0
        shards[-1].append(name)
        used += size
    return shards


def _write_file(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    library = extra.library("safetensors.numpy", path)
    library.save_file(dict(arrays), path, metadata={"format": "pt"})


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n")
