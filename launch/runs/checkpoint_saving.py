"""Writes checkpoints of a run; see `launch.runs.checkpoint` for what they hold."""

import contextlib
import functools
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from agents.parts.contract import TrainingState
from launch.errors import Damaged, SaveFailed
from launch.runs import checkpoint, checkpoint_files
from launch.runs.checkpoint_files import REPLAY, Manifest
from launch.runs.logs import Counts
from launch.runs.replay_saving import ReplaySaver, Saving

# How the operating system and numpy report a full disk.
# Keys of `extra` that belong to the rows of a replay: those of a replay, and those of
# one in the learner, whose server is `store`.
_OF_REPLAY = ("store", "rows")
_FULL = re.compile(r"No space left on device|\d+ requested and \d+ written")


class Ending(NamedTuple):
    """When the process that saves may be killed, and whether it still may write.

    Attributes:
        deadline: returns the time of `time.monotonic` by which all must be saved; None:
            any time.
        check: raises SaveFailed if another process has taken over the run.
    """

    deadline: Callable[[], float | None] = lambda: None
    check: Callable[[], None] = lambda: None


UNHURRIED = Ending()


def save(
    directory: Path,
    counts: Counts,
    state: TrainingState,
    *,
    extra: dict[str, Any],
    replay: ReplaySaver | None,
    keep: int,
    ending: Ending = UNHURRIED,
) -> Path:
    """Writes a checkpoint, and then removes those that are not worth keeping.

    Of `keep` checkpoints one is the newest and the others are the newest that are exact
    (see `launch.runs.checkpoint.EXACT`), else others. At least one is exact, even if
    `keep` is 1: those saved by wall time do not displace all at which a run can be
    resumed reproducibly. A checkpoint whose replay another one uses is kept, too.

    If there is a deadline, also if it comes during the save, the checkpoint is complete
    as soon as the state is written: it uses the newest replay that was saved before.
    Then the replay is saved if there is time. If a checkpoint of these steps exists,
    nothing is written.

    Args:
        directory: the run directory.
        counts: how far the run is.
        state: everything the learner owns.
        extra: other plain data that a resumed run needs.
        replay: saves the store; None: there is no store, or it is not to be saved.
        keep: how many checkpoints to keep, at least 1; see above.
        ending: of this process.

    Raises:
        SaveFailed: the checkpoint could not be written; earlier ones are kept.
    """
    root = directory / checkpoint.DIRECTORY
    manifest = Manifest(counts, extra, {})
    draft = _Draft(root, manifest, ending, functools.partial(_remove_old, root, keep))
    if ending.deadline() is not None and counts.clock in checkpoint.kept(directory):
        return draft.final
    with _failing(draft.final, draft.path, draft.replay):
        draft.begin(state)
        if replay is None:
            draft.commit()
            return draft.final
        saving = None
        if ending.deadline() is None:
            saving = replay.begin(draft.replay)
            if saving.ended(lambda: ending.deadline() is not None):
                draft.commit(saving)
                return draft.final
        if draft.final.exists():
            return draft.final  # it must not lose its replay
        draft.commit_without_replay()
    reason = _complete(draft, replay, saving)
    if reason:
        said = f"the replay of step {counts.clock:,} is not saved: {reason}"
        print(f"munchausen: {said}", file=sys.stderr, flush=True)
    return draft.final


class _Draft:
    """A checkpoint that is being written.

    Attributes:
        final: its place.
        path: where it is written.
        replay: where its replay is written.
    """

    def __init__(
        self,
        root: Path,
        manifest: Manifest,
        ending: Ending,
        committed: Callable[[int], None],
    ):
        """Writes nothing yet.

        Args:
            root: directory of the checkpoints.
            manifest: without files.
            ending: of this process.
            committed: called with the steps of the checkpoint when it is in place.
        """
        steps = manifest.counts.clock
        self.final = root / str(steps)
        self.path = root / f".{steps}.partial"
        self.replay = root / f".{steps}.replay.partial"
        self.ending = ending
        self._root = root
        self._manifest = manifest
        self._committed = committed

    def begin(self, state: TrainingState) -> None:
        """Writes the state."""
        self.ending.check()
        checkpoint_files.discard_drafts(self._root)
        self.path.mkdir(parents=True)
        checkpoint_files.save_state(self.path, state)
        files = checkpoint_files.measure(self.path)
        self._manifest = self._manifest._replace(files=files)

    def commit(self, saving: Saving | None = None) -> None:
        """Moves the checkpoint into place, with the replay that was saved."""
        if saving is not None:
            self._take(saving, self.path)
        self._place(self._manifest)

    def commit_without_replay(self) -> None:
        """Moves the checkpoint into place; it uses the newest earlier replay."""
        manifest, steps = self._manifest, self._manifest.counts.clock
        extra = manifest.extra | {checkpoint.EXACT: False}
        owner = _owner_of_replay(self._root, steps)
        if owner is None:
            self._place(manifest._replace(extra=extra))
            return
        older, files = owner
        extra |= {key: older.extra[key] for key in _OF_REPLAY if key in older.extra}
        self._place(
            manifest._replace(
                extra=extra, replay_of=older.counts.clock, replay_files=files
            )
        )

    def add_replay(self, saving: Saving) -> None:
        """Adds its replay to the checkpoint, which is in place; replaces the manifest.

        Until the manifest is replaced, the checkpoint is what it was.
        """
        self.ending.check()
        self._take(saving, self.final)
        checkpoint_files.write_manifest(self.final, self._manifest)

    def _take(self, saving: Saving, path: Path) -> None:
        """Moves a replay to a checkpoint, and lists its files."""
        files = {f"{REPLAY}/{name}": each for name, each in saving.files().items()}
        if files:  # there is nothing to save of a dataset
            saving.path.rename(path / REPLAY)
        manifest = self._manifest
        self._manifest = manifest._replace(files=manifest.files | files)

    def _place(self, manifest: Manifest) -> None:
        checkpoint_files.write_manifest(self.path, manifest)
        self.ending.check()
        checkpoint_files.replace(self.final, self.path)
        self._committed(manifest.counts.clock)


def _complete(draft: _Draft, replay: ReplaySaver, saving: Saving | None) -> str:
    """Saves the replay of a checkpoint in place if there is time; else, why not."""
    deadline = draft.ending.deadline()
    assert deadline is not None
    left = deadline - time.monotonic()
    try:
        if saving is None:
            needed = replay.seconds()
            if needed >= left or left <= 0:
                return f"it takes {needed:.0f} s, and {max(left, 0):.0f} s are left"
            saving = replay.begin(draft.replay)
        if not saving.ended(lambda: time.monotonic() >= deadline):
            return "it takes more time than is left"
        with _failing(draft.final, draft.replay):
            draft.add_replay(saving)
    except (OSError, SaveFailed) as error:
        return str(error)
    return ""


def _owner_of_replay(
    root: Path, steps: int
) -> tuple[Manifest, checkpoint_files.Files] | None:
    """The newest checkpoint before `steps` with a replay in its directory, if any."""
    for step in reversed(checkpoint_files.steps(root)):
        if step < steps:
            with contextlib.suppress(Damaged):
                manifest = checkpoint_files.read_manifest(root / str(step))
                if files := manifest.own_replay():
                    return manifest, files
    return None


def _remove_old(root: Path, keep: int, newest: int) -> None:
    """Removes the checkpoints that are not worth keeping, now that there is a newer."""
    steps = checkpoint_files.steps(root)
    done = steps.index(newest) + 1
    # Later checkpoints belong to an abandoned branch: this run was resumed before them.
    worth = _worth_keeping(root, steps[:done], keep)
    for step in steps:
        if step not in worth:
            checkpoint_files.discard(root / str(step))


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
        save_replay: writes the store's snapshot to a path; None: there is no snapshot.

    Raises:
        SaveFailed: a checkpoint could not be written or read back.
    """
    root = directory / checkpoint.DIRECTORY
    draft, final = root / ".try.partial", root / ".tried.partial"
    plain = state._replace(key=jax.random.key_data(state.key))
    tiny = jax.tree.map(_tiny, plain)._replace(key=state.key)
    with _failing(root, draft, final):
        checkpoint_files.discard_drafts(root)
        draft.mkdir(parents=True)
        checkpoint_files.save_state(draft, tiny)
        if save_replay is not None:
            save_replay(draft / REPLAY)
        files = checkpoint_files.measure(draft)
        checkpoint_files.write_manifest(draft, Manifest(Counts(), extra, files))
        draft.rename(final)
        checkpoint_files.restore_state(checkpoint.read(final).path, tiny)
        checkpoint_files.discard(final)


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
    except SaveFailed:
        _discard(drafts)
        raise
    except (OSError, ValueError, TypeError, Damaged) as error:
        # Orbax reports a full disk as ValueError, JSON what it cannot write as either.
        _discard(drafts)
        text = " ".join(str(error).split())
        full = _FULL.search(text)
        reason = "no space left on the device" if full else text[:300]
        raise SaveFailed(f"cannot write checkpoint {path}: {reason}") from error


def _discard(drafts: Sequence[Path]) -> None:
    """Removes drafts as far as possible."""
    for draft in drafts:
        with contextlib.suppress(OSError):
            checkpoint_files.discard(draft)


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
    worth = {newest, *[*others, *exact][len(earlier) - room :]}
    return worth | {step for each in worth for step in _used_by(root / str(each))}


def _is_exact(path: Path) -> bool:
    try:
        extra = checkpoint_files.read_manifest(path).extra
    except Damaged:
        return False
    return bool(extra.get(checkpoint.EXACT, True))  # older: no entry


def _used_by(path: Path) -> list[int]:
    """The steps of the checkpoint whose replay a checkpoint uses, if any."""
    try:
        replay_of = checkpoint_files.read_manifest(path).replay_of
    except Damaged:
        return []
    return [] if replay_of is None else [replay_of]
