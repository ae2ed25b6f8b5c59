"""The files of a checkpoint: its manifest, their sizes and checksums, drafts.

A checkpoint is a directory named after the steps of the run. Whatever begins with a dot
and ends in `.partial` next to it is a draft, or the rest of one.
"""

import ctypes
import errno
import functools
import json
import os
import shutil
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np
from absl import logging

from agents.parts.contract import Params, TrainingState
from launch.errors import Damaged
from launch.runs.logs import Counts

STATE = "state"
REPLAY = "replay"
MANIFEST = "manifest.json"
_CHUNK = 1 << 24

# Size and CRC-32 of files, by relative name.
Files = dict[str, list[int]]


class Manifest(NamedTuple):
    """What a checkpoint notes about itself.

    Attributes:
        counts: how far the run was.
        extra: other plain data that the run saved.
        files: of the checkpoint. A file that is not listed does not belong to it.
        replay_of: steps of the checkpoint whose replay this one uses; None: it uses
            the one in its own directory, if there is one.
        replay_files: of that other replay.
    """

    counts: Counts
    extra: dict[str, Any]
    files: Files
    replay_of: int | None = None
    replay_files: Mapping[str, list[int]] = MappingProxyType({})

    def without_replay(self) -> Files:
        """The files of the checkpoint that are not of a replay."""
        replay = f"{REPLAY}/"
        return {
            name: content
            for name, content in self.files.items()
            if not name.startswith(replay)
        }

    def own_replay(self) -> Files:
        """The files of a replay in its own directory; empty if it has none there."""
        prefix = f"{REPLAY}/"
        return {
            name.removeprefix(prefix): content
            for name, content in self.files.items()
            if name.startswith(prefix)
        }


def read_manifest(path: Path) -> Manifest:
    """Reads the manifest of a checkpoint.

    Raises:
        Damaged: it is missing, or not readable.
    """
    try:
        plain = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        replay_of = plain.get("replay_of")  # older checkpoints have none of the two
        return Manifest(
            Counts(**plain["counts"]),
            dict(plain["extra"]),
            dict(plain["files"]),
            None if replay_of is None else int(replay_of),
            dict(plain.get("replay_files", {})),
        )
    except (AttributeError, OSError, ValueError, KeyError, TypeError) as error:
        raise Damaged(f"checkpoint {path} has no readable {MANIFEST}") from error


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Writes the manifest of a checkpoint; replaces an earlier one at once."""
    plain = manifest._asdict() | {
        "counts": manifest.counts._asdict(),
        "replay_files": dict(manifest.replay_files),
    }
    draft = path / f".{MANIFEST}.draft"
    draft.write_text(json.dumps(plain), encoding="utf-8")
    draft.replace(path / MANIFEST)


def check(path: Path, written: Mapping[str, list[int]], found: Files) -> None:
    """Compares the files of a checkpoint with what its manifest lists.

    Raises:
        Damaged: a file is missing or was altered.
    """
    for name, content in written.items():
        if found.get(name) != content:
            state = "is missing" if name not in found else "was altered"
            raise Damaged(f"checkpoint {path} is damaged: {name} {state}")


def measure(path: Path, *, replay: bool = True) -> Files:
    """Size and CRC-32 of every file below a directory; empty if it does not exist.

    Args:
        path: a checkpoint, or the directory of a replay.
        replay: whether to read a checkpoint's replay, which may be large.
    """
    return {
        str(name): [file.stat().st_size, _checksum(file)]
        for file in sorted(path.rglob("*"))
        if file.is_file() and file.name != MANIFEST
        for name in [file.relative_to(path)]
        if replay or name.parts[0] != REPLAY
    }


def _checksum(file: Path) -> int:
    value = 0
    for chunk in _chunks(file):
        value = zlib.crc32(chunk, value)
    return value


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def steps(root: Path) -> list[int]:
    """Steps of all checkpoints below a directory, in order."""
    if not root.is_dir():
        return []
    return sorted(int(path.name) for path in root.iterdir() if path.name.isdigit())


def replace(final: Path, draft: Path) -> None:
    """Moves a draft into place, and only then removes the checkpoint it replaces.

    Whenever the process is killed, one of the two is in place. Only on a file system
    that cannot exchange two directories there is a moment between two renames.
    """
    if not final.exists():
        draft.rename(final)
    elif _exchange(final, draft):
        discard(draft)  # the old one
    else:
        aside = draft.with_name(f".{final.name}.old.partial")
        final.rename(aside)
        draft.rename(final)
        discard(aside)


def _exchange(one: Path, two: Path) -> bool:
    """Exchanges two directories at once; False if the file system cannot."""
    # Python has no function for it. glibc has it since 2.28; musl has it not.
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    paths = os.fsencode(one.absolute()), os.fsencode(two.absolute())
    here, exchange = -100, 2  # AT_FDCWD, which absolute paths ignore; RENAME_EXCHANGE
    if rename(here, paths[0], here, paths[1], exchange) == 0:
        return True
    error = ctypes.get_errno()
    if error in (errno.EINVAL, errno.ENOSYS):
        return False
    raise OSError(error, os.strerror(error), str(one))


def discard(path: Path) -> None:
    """Removes a directory, if it exists."""
    if path.exists():
        shutil.rmtree(path)


def discard_drafts(root: Path) -> None:
    """Removes what runs left that were killed while they saved."""
    for abandoned in root.glob(".*.partial"):
        discard(abandoned)


def save_state(path: Path, state: TrainingState) -> None:
    """Writes a training state to a new checkpoint."""
    plain = state._replace(key=jax.random.key_data(state.key))._asdict()
    # Orbax logs the stacks of its threads before it raises the error that we report.
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.FATAL)
    try:
        where = (path / STATE).absolute()
        _checkpointer().save(where, jax.tree.map(np.asarray, plain))
    finally:
        logging.set_verbosity(verbosity)


def restore_state(path: Path, expected: TrainingState) -> TrainingState:
    """Loads the state of a checkpoint.

    Args:
        path: the checkpoint.
        expected: a state of the same shapes and types, which may be abstract.
    """
    key = jax.eval_shape(jax.random.key_data, expected.key)
    where = (path / STATE).absolute()
    like = expected._replace(
        key=key, target_params=_unused_targets(where, expected) | expected.target_params
    )
    state = TrainingState(**_checkpointer().restore(where, like._asdict()))
    targets = {name: state.target_params[name] for name in expected.target_params}
    key = jax.random.wrap_key_data(state.key)
    return state._replace(key=key, target_params=targets)


def _unused_targets(state: Path, expected: TrainingState) -> Params:
    """The networks that had a target when a state was saved, and no longer have one.

    Before 2026-11-30 every network that learns had a target.
    """
    metadata = _checkpointer().metadata(state).item_metadata
    if metadata is None:  # Orbax knows no state here: `restore` will say so
        return {}
    unused = metadata.tree["target_params"].keys() - expected.target_params.keys()
    return {name: expected.params[name] for name in unused & expected.params.keys()}


@functools.cache
def _checkpointer() -> Any:
    # Imported here: importing orbax takes a second, which would delay every start.
    import orbax.checkpoint as ocp

    # Of several learners only the first one saves: it must not wait for the others.
    alone = ocp.options.MultiprocessingOptions(
        primary_host=jax.process_index(), active_processes={jax.process_index()}
    )
    return ocp.Checkpointer(
        ocp.StandardCheckpointHandler(multiprocessing_options=alone),
        multiprocessing_options=alone,
    )
