"""Batches from Reverb servers, for the learner of a run in several processes.

Importing this module imports neither Reverb nor TensorFlow: a learner serves its first
parameters while these are imported.
"""

import dataclasses
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from agents.parts.contract import Params, Spec, Storage, Transition
from launch.errors import RunDirectoryError
from launch.replay import light_reverb, shards

_STARVED_SECONDS = 2.0  # a batch on its way takes less
# The entry of `progress` with the number of servers; absent in old checkpoints of one.
_REPLAYS = "replays"


class ReverbBatches:
    """Yields batches until the run stops, or the actors have ended and none comes.

    Each batch has equal parts of all servers. If all actors of a server have ended and
    it has no more to give, the other servers give its part.

    Args:
        addresses: of the servers that hold the table, `host:port`.
        storage: of all servers together.
        spec: of one environment; frames are stacked along the first axis.
        frame_stack: S, frames in one observation; 1 if they are not stacked.
        stop: returns whether the run stops; called at least once a second.
        acting: `(index) -> bool`, whether any actor that stores into this server still
            acts; called when no batch comes.
        extras: spec of the extras that the policy returns with one action, see
            `launch.build.make_extras_spec`.
        learners: K, the number of learners that share each batch; B/K of it is read.

    Attributes:
        shared: None, as an update reads nothing but its batch.
    """

    shared = None

    def __init__(
        self,
        addresses: Sequence[str],
        storage: Storage,
        spec: Spec,
        *,
        frame_stack: int,
        stop: Callable[[], bool],
        acting: Callable[[int], bool],
        extras: Any = (),
        learners: int = 1,
    ):
        self._addresses = addresses
        self._storage = storage
        self._spec = spec
        self._frame_stack = frame_stack
        self._stop = stop
        self._acting = acting
        self._extras = extras
        self._learners = learners
        self._closed = False
        self._asked = 0.0
        self._readers: list[Any] = []
        # When to look again at servers that had no more to give, by index.
        self._look: dict[int, float] = {}

    def prepare(self, params: Params, tick: Callable[[], None]) -> None:
        """Connects to the servers."""
        light_reverb.remove()  # a reader is a dataset
        from launch.replay import reverb_reader

        replays = len(self._addresses)
        share = self._storage.batch_size // (replays * self._learners)
        for index, address in enumerate(self._addresses):
            storage = shards.storage_of(self._storage, index, replays)
            reader = reverb_reader.ReverbReader(
                address,
                dataclasses.replace(storage, batch_size=share),
                self._spec,
                frame_stack=self._frame_stack,
                stop=functools.partial(self._ended, index),
                extras=self._extras,
            )
            self._readers.append(reader)

    def owed(self) -> int:
        """Always one: the rate limiters of the servers make `next` wait."""
        return 1

    def next(self) -> Transition:
        """Next batch; its arrays are read-only.

        Raises:
            StopIteration: the run stops, or the actors have ended and no batch comes.
        """
        readers = self._readers  # `close` may come from another thread
        return _join([self._part(index, readers) for index in range(len(readers))])

    def empty(self) -> Transition:
        """A made-up batch of zeros."""
        return _join([reader.empty() for reader in self._readers])

    def read(self, batch: Transition, shared: None) -> Transition:
        """The batch itself."""
        del shared
        return batch

    def progress(self) -> dict[str, Any]:
        """Kind and number of stores: the rows are in the snapshots of the servers."""
        return {"store": "reverb", _REPLAYS: len(self._addresses)}

    def stored(self) -> int:
        """Transitions in the tables of all servers.

        Raises:
            OSError: a server does not answer.
        """
        import reverb

        from launch.replay import snapshot

        clients = [reverb.Client(address) for address in self._addresses]
        return sum(snapshot.stored(client) for client in clients)

    def save(self, path: Path) -> None:
        """Has the servers write their tables to a new directory.

        Raises:
            OSError: a server does not answer, or cannot write.
        """
        import reverb

        from launch.replay import snapshot

        if len(self._addresses) > 1:
            path.mkdir()
        for address, name in zip(
            self._addresses, shards.names(len(self._addresses)), strict=True
        ):
            snapshot.save(reverb.Client(address), shards.snapshot_of(path, name))

    def restore(
        self, path: Path | None, progress: Mapping[str, Any], learner_steps: int
    ) -> None:
        """Checks the number of servers; each starts with its saved tables by itself.

        Raises:
            RunDirectoryError: another number of servers saved them, or the learner
                did, whose rows no server can read.
        """
        if path is not None and "rows" in progress:
            raise RunDirectoryError(
                f"--replay must be learner or device, as in the run that saved {path}: "
                "its rows are those of a learner"
            )
        saved, replays = progress.get(_REPLAYS, 1), len(self._addresses)
        if path is not None and saved != replays:
            raise RunDirectoryError(
                f"--replays must be {saved}, the number of servers that saved {path}, "
                f"got {replays}"
            )

    def close(self) -> None:
        """Stops requesting samples; ends `next` in another thread within a second."""
        self._closed = True
        self._readers = []

    def _part(self, first: int, readers: Sequence[Any]) -> Transition:
        """A server's part of a batch; the next server's if that one has ended."""
        replays = len(readers)
        for index in [(first + ahead) % replays for ahead in range(replays)]:
            self._asked = time.monotonic()
            if self._asked < self._look.get(index, 0.0):
                continue
            try:
                return next(readers[index])
            except StopIteration:
                if self._closed or self._stop():
                    raise
                self._look[index] = self._asked + 2 * _STARVED_SECONDS
        raise StopIteration

    def _ended(self, index: int) -> bool:
        return self._closed or self._stop() or self._starved(index)

    def _starved(self, index: int) -> bool:
        """Whether no batch has come for a while and, without actors, none will."""
        waited = time.monotonic() - self._asked
        return waited > _STARVED_SECONDS and not self._acting(index)


def _join(parts: Sequence[Transition]) -> Transition:
    if len(parts) == 1:
        return parts[0]
    return jax.tree.map(lambda *columns: np.concatenate(columns), *parts)
