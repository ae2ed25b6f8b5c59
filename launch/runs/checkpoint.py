"""Checkpoints of a run: written whole or not at all, and checked before they are used.

`<run>/checkpoints/<steps>/` holds `state/` (the TrainingState, through orbax),
`replay/` (the store's own snapshot) and `manifest.json`: counters, other data that a
resumed run needs, and size and checksum of every file.
"""

import contextlib
import functools
import json
import re
import shutil
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from absl import logging

from agents.parts.contract import Agent, TrainingState
from launch.errors import Damaged, RunDirectoryError, SaveFailed
from launch.runs.logs import Counts

DIRECTORY = "checkpoints"
STATE = "state"
REPLAY = "replay"
MANIFEST = "manifest.json"
# The entry of `extra` that notes whether a run resumed from the checkpoint equals one
# that was not interrupted.
EXACT = "exact"
_CHUNK = 1 << 24
# How the operating system and numpy report a full disk.
_FULL = re.compile(r"No space left on device|\d+ requested and \d+ written")


class Checkpoint(NamedTuple):
    """An intact checkpoint: its files are as they were written.

    Attributes:
        path: its directory.
        counts: how far the run was.
        extra: other plain data that the run saved.
    """

    path: Path
    counts: Counts
    extra: dict[str, Any]

    @property
    def replay(self) -> Path | None:
        """The store's snapshot, if the run saved one."""
        path = self.path / REPLAY
        return path if path.is_dir() else None


def save(
    directory: Path,
    counts: Counts,
    state: TrainingState,
    *,
    extra: dict[str, Any],
    save_replay: Callable[[Path], None] | None,
    keep: int,
) -> Path:
    """Writes a checkpoint, and then removes those that are not worth keeping.

    Of `keep` checkpoints one is the newest and the others are the newest that are exact
    (see `EXACT`), else others. At least one is exact, even if `keep` is 1: those saved
    by wall time do not displace all at which a run can be resumed reproducibly.

    Args:
        directory: the run directory.
        counts: how far the run is.
        state: everything the learner owns.
        extra: other plain data that a resumed run needs.
        save_replay: writes the store's snapshot to a path; None: there is no snapshot.
        keep: how many checkpoints to keep, at least 1; see above.

    Raises:
        SaveFailed: the checkpoint could not be written; earlier ones are kept.
    """
    root = directory / DIRECTORY
    final = root / str(counts.clock)
    draft = root / f".{counts.clock}.partial"
    with _failing(final, draft):
        _write(draft, counts, state, extra, save_replay)
        _replace(final, draft)
    steps = _steps(root)
    done = steps.index(counts.clock) + 1
    # Later checkpoints belong to an abandoned branch: this run was resumed before them.
    kept = _worth_keeping(root, steps[:done], keep)
    for step in steps:
        if step not in kept:
            _discard(root / str(step))
    return final


def rehearse(
    directory: Path,
    state: TrainingState,
    *,
    extra: dict[str, Any],
    save_replay: Callable[[Path], None] | None,
) -> None:
    """Writes a checkpoint of tiny arrays, reads it back, and removes it.

    Args:
        directory: the run directory.
        state: gives structure and types of what will be saved.
        extra: as for `save`.
        save_replay: as for `save`.

    Raises:
        SaveFailed: a checkpoint could not be written or read back.
    """
    root = directory / DIRECTORY
    draft, final = root / ".try.partial", root / ".tried.partial"
    plain = state._replace(key=jax.random.key_data(state.key))
    tiny = jax.tree.map(_tiny, plain)._replace(key=state.key)
    with _failing(root, draft, final):
        _write(draft, Counts(), tiny, extra, save_replay)
        draft.rename(final)
        _restore(_read(final), tiny)
        _discard(final)


def _tiny(leaf: Any) -> np.ndarray:
    return np.zeros([min(size, 1) for size in leaf.shape], leaf.dtype)


@contextlib.contextmanager
def _failing(path: Path, *drafts: Path) -> Iterator[None]:
    """Context manager: discards the drafts and raises SaveFailed on an error.

    Args:
        path: where the checkpoint should be, for the message.
        drafts: what was written so far.
    """
    try:
        yield
    except (OSError, ValueError, TypeError, Damaged) as error:
        # Orbax reports a full disk as ValueError, JSON what it cannot write as either.
        for draft in drafts:
            with contextlib.suppress(OSError):
                _discard(draft)
        text = " ".join(str(error).split())
        full = _FULL.search(text)
        reason = "no space left on the device" if full else text[:300]
        raise SaveFailed(f"cannot write checkpoint {path}: {reason}") from error


def _write(
    draft: Path,
    counts: Counts,
    state: TrainingState,
    extra: dict[str, Any],
    save_replay: Callable[[Path], None] | None,
) -> None:
    """Writes all files of a checkpoint to a new directory."""
    for abandoned in draft.parent.glob(".*.partial"):  # left by runs that were killed
        _discard(abandoned)
    draft.mkdir(parents=True)
    _save_state(draft / STATE, state)
    if save_replay is not None:
        save_replay(draft / REPLAY)
    manifest = {"counts": counts._asdict(), "extra": extra, "files": _files(draft)}
    (draft / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


def _worth_keeping(root: Path, steps: list[int], keep: int) -> set[int]:
    """Of these checkpoints, in order, those that `save` does not remove."""
    *earlier, newest = steps
    if len(steps) <= keep:
        return set(steps)
    exact = [step for step in earlier if _is_exact(root / str(step))]
    others = [step for step in earlier if step not in exact]
    room = keep - 1
    if room == 0 and exact and not _is_exact(root / str(newest)):
        room = 1
    return {newest, *[*others, *exact][len(earlier) - room :]}


def _is_exact(path: Path) -> bool:
    try:
        return bool(_read_manifest(path)["extra"].get(EXACT, True))  # older: no entry
    except Damaged:
        return False


def _replace(final: Path, draft: Path) -> None:
    """Moves a draft into place, and only then removes the checkpoint it replaces."""
    aside = draft.with_name(f".{final.name}.old.partial")
    if final.exists():
        final.rename(aside)
    draft.rename(final)
    _discard(aside)


def reached(directory: Path) -> int:
    """Steps at a run's newest checkpoint, intact or not; 0 if the run has none."""
    return max(_steps(directory / DIRECTORY), default=0)


def kept(directory: Path) -> list[int]:
    """Steps of a run's checkpoints, intact or not, the oldest first."""
    return _steps(directory / DIRECTORY)


def at(directory: Path, steps: int) -> Checkpoint:
    """Reads the checkpoint of a run after `steps`, one of `kept`.

    Raises:
        RunDirectoryError: the checkpoint is damaged.
    """
    try:
        return _read(directory / DIRECTORY / str(steps))
    except Damaged as error:
        raise RunDirectoryError(str(error)) from error


def extras(directory: Path) -> Iterator[dict[str, Any]]:
    """Yields `extra` of each checkpoint with a readable manifest, intact or not."""
    for step in kept(directory):
        with contextlib.suppress(Damaged):
            yield _read_manifest(directory / DIRECTORY / str(step))["extra"]


def newest(directory: Path) -> Checkpoint:
    """The newest intact checkpoint; damaged ones are reported on standard error.

    Args:
        directory: a run directory.

    Raises:
        RunDirectoryError: no checkpoint is intact.
    """
    root = directory / DIRECTORY
    for step in reversed(_steps(root)):
        try:
            return _read(root / str(step))
        except Damaged as error:
            print(f"munchausen: {error}; trying the previous one", file=sys.stderr)
    raise RunDirectoryError(f"{directory} holds no usable checkpoint")


def load_state(checkpoint: Checkpoint, agent: Agent) -> TrainingState:
    """Loads the training state of a checkpoint.

    Args:
        checkpoint: an intact checkpoint.
        agent: of the run's experiment; gives the structure to expect.

    Raises:
        RunDirectoryError: the state does not fit the agent.
    """
    try:
        return _restore(checkpoint, jax.eval_shape(agent.init, jax.random.key(0)))
    except (ValueError, KeyError, TypeError, FileNotFoundError) as error:
        path, reason = checkpoint.path / STATE, " ".join(str(error).split())[:300]
        raise RunDirectoryError(f"{path} does not fit the agent: {reason}") from error


def _restore(checkpoint: Checkpoint, expected: TrainingState) -> TrainingState:
    """Loads a state of the shapes and types of another, which may be abstract."""
    key = jax.eval_shape(jax.random.key_data, expected.key)
    like = expected._replace(key=key)._asdict()
    path = checkpoint.path / STATE
    state = TrainingState(**_checkpointer().restore(path.absolute(), like))
    return state._replace(key=jax.random.wrap_key_data(state.key))


def _save_state(path: Path, state: TrainingState) -> None:
    plain = state._replace(key=jax.random.key_data(state.key))._asdict()
    # Orbax logs the stacks of its threads before it raises the error that we report.
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.FATAL)
    try:
        _checkpointer().save(path.absolute(), jax.tree.map(np.asarray, plain))
    finally:
        logging.set_verbosity(verbosity)


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


def _read(path: Path) -> Checkpoint:
    manifest, found = _read_manifest(path), _files(path)
    for name, written in manifest["files"].items():
        if found.get(name) != written:
            state = "is missing" if name not in found else "was altered"
            raise Damaged(f"checkpoint {path} is damaged: {name} {state}")
    return Checkpoint(path, manifest["counts"], manifest["extra"])


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        return {
            "counts": Counts(**manifest["counts"]),
            "files": dict(manifest["files"]),
            "extra": dict(manifest["extra"]),
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Damaged(f"checkpoint {path} has no readable {MANIFEST}") from error


def _files(path: Path) -> dict[str, list[int]]:
    """Size and CRC-32 of every file below, by relative name."""
    return {
        str(file.relative_to(path)): [file.stat().st_size, _checksum(file)]
        for file in sorted(path.rglob("*"))
        if file.is_file() and file.name != MANIFEST
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


def _steps(root: Path) -> list[int]:
    """Steps of all checkpoints, in order."""
    if not root.is_dir():
        return []
    return sorted(int(path.name) for path in root.iterdir() if path.name.isdigit())


def _discard(path: Path) -> None:
    if path.exists():
        shutil.rmtree(path)
