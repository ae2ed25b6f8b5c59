"""The interface of a source of batches for a learner: a replay or a dataset.

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
        """Data that every update reads, whole on each device; None if there is none."""

    def prepare(self, params: Params, tick: Callable[[], None]) -> None:
        """Gets ready for the first batch.

        Args:
            params: of the agent that will learn, after a restore.
            tick: called now and then, as a sign of life.
        """

    def owed(self) -> int:
        """Learner steps to do before the learner asks again."""

    def next(self) -> Any:
        """The input of the next learner step; may block.

        Raises:
            StopIteration: there will be no further batch.
        """

    def read(self, batch: Any, shared: Any) -> Transition:
        """Turns a result of `next` into transitions, leaves `[B, ...]`; jit-able."""

    def progress(self) -> dict[str, Any]:
        """The state of the source, as plain data for the manifest of a checkpoint."""

    def stored(self) -> int:
        """Transitions that `save` would write.

        Raises:
            OSError: the source does not answer.
        """

    def save(self, path: Path) -> None:
        """Writes the content of the source to a new directory.

        A source that can be read again, such as a dataset, writes nothing.
        """

    def restore(
        self, path: Path | None, progress: Mapping[str, Any], learner_steps: int
    ) -> None:
        """Continues from a checkpoint.

        Args:
            path: directory that `save` wrote; None: nothing was saved.
            progress: the result of `progress`.
            learner_steps: learner steps done at the checkpoint.

        Raises:
            RunDirectoryError: the saved content does not fit this source.
        """

    def close(self) -> None:
        """Releases the resources that `prepare` took."""


class EndingBatches(Batches, Protocol):
    """A source that may end for one of several learners before it ends for others."""

    def empty(self) -> Any:
        """A made-up batch of the shapes and types of those of `next`."""


class Given:
    """An endless source of batches from a function: for measurements, and for Acme."""

    shared = None

    def __init__(self, next_batch: Callable[[], Transition]):
        """Does not call the function yet.

        Args:
            next_batch: returns a Transition, leaves `[B, ...]`; may block.
        """
        self.next = next_batch

    def prepare(self, params: Params, tick: Callable[[], None]) -> None:
        """Does nothing."""

    def owed(self) -> int:
        """Always one step."""
        return 1

    def read(self, batch: Transition, shared: None) -> Transition:
        """Returns the batch unchanged."""
        del shared
        return batch

    def progress(self) -> dict[str, Any]:
        """No state."""
        return {}

    def stored(self) -> int:
        """Nothing."""
        return 0

    def save(self, path: Path) -> None:
        """Writes nothing."""

    def restore(
        self, path: Path | None, progress: Mapping[str, Any], learner_steps: int
    ) -> None:
        """Does nothing."""

    def close(self) -> None:
        """Does nothing."""
