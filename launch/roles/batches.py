"""Where a learner's batches come from.

Implemented by `launch.replay.in_process.InProcess`, `launch.replay.reverb_store.
ReverbBatches` and `launch.datasets.sampler.DatasetBatches`.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from agents.parts.contract import Params, Transition


class Batches(Protocol):
    """A source of batches for one learner."""

    @property
    def shared(self) -> Any:
        """What every update reads besides its batch, whole on each device; or None."""

    def prepare(self, params: Params, tick: Callable[[], None]) -> None:
        """Gets ready for the first batch.

        Args:
            params: of the agent that will learn, after a restore.
            tick: called now and then, to show that it moves.
        """

    def owed(self) -> int:
        """Learner steps to do before the learner asks again."""

    def next(self) -> Any:
        """What the next learner step reads; may wait.

        Raises:
            StopIteration: there will never be another one.
        """

    def read(self, batch: Any, shared: Any) -> Transition:
        """The transitions, leaves `[B, ...]`, that `next` stands for; jit-able."""

    def progress(self) -> dict[str, Any]:
        """What a checkpoint holds of the source, as plain data for its manifest."""

    def save(self, path: Path) -> None:
        """Writes what the source holds to a new directory.

        A source that can be read again from elsewhere writes nothing.
        """

    def restore(
        self, path: Path | None, progress: Mapping[str, Any], learner_steps: int
    ) -> None:
        """Continues where a checkpoint was made.

        Args:
            path: what `save` wrote; None: nothing was saved.
            progress: what `progress` returned.
            learner_steps: done by then.

        Raises:
            RunDirectoryError: what was saved does not fit this source.
        """

    def close(self) -> None:
        """Gives back what `prepare` took."""


class Given:
    """Batches from a function, without end: for measurements, and for Acme."""

    shared = None

    def __init__(self, next_batch: Callable[[], Transition]):
        """Asks nothing yet.

        Args:
            next_batch: returns a Transition, leaves `[B, ...]`; may wait.
        """
        self.next = next_batch

    def prepare(self, params: Params, tick: Callable[[], None]) -> None:
        """Does nothing."""

    def owed(self) -> int:
        """Always one."""
        return 1

    def read(self, batch: Transition, shared: None) -> Transition:
        """The batch itself."""
        del shared
        return batch

    def progress(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def save(self, path: Path) -> None:
        """Writes nothing."""

    def restore(
        self, path: Path | None, progress: Mapping[str, Any], learner_steps: int
    ) -> None:
        """Does nothing."""

    def close(self) -> None:
        """Does nothing."""
