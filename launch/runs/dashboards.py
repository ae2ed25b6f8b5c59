"""What a run shows in TensorBoard and, if asked to, in Weights & Biases.

Tags are `<role>/<name>`, the axis is actor steps (learner steps offline).
"""

import contextlib
import importlib.util
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol

from launch.errors import RunDirectoryError
from launch.runs import serialization
from launch.runs.logs import Counts

WandbMode = Literal["off", "offline", "online"]
_WANDB_ID = "wandb/munchausen-id"


class Dashboard(Protocol):
    """Takes the numbers of a run."""

    def write(self, counts: Counts, role: str, values: Mapping[str, float]) -> None:
        """Takes values at these counts; those that are not finite are left out."""

    def close(self) -> None:
        """Sends or writes what it holds."""


def make(
    directory: Path, experiment: Any, *, purge_step: int, wandb: WandbMode
) -> list[Dashboard]:
    """The dashboards of a run.

    Args:
        directory: the run directory; both write to it.
        experiment: what runs.
        purge_step: steps after which TensorBoard is to forget what it had; other
            than that one, Weights & Biases cannot, and shows both.
        wandb: whether there is one at Weights & Biases; offline: as files, for
            `wandb sync --append <run>/wandb/offline-run-*`.

    Raises:
        RunDirectoryError: Weights & Biases did not start.
    """
    made: list[Dashboard] = []
    if wandb != "off":
        made.append(Wandb(directory, experiment, wandb))
    return [*made, TensorBoard(directory, purge_step)]


class _Guarded:
    """A file whose errors are kept for the run.

    The library writes from a thread of its own and once more when the process ends;
    there, an error would be a traceback that nobody can act on.
    """

    def __init__(self, file: BinaryIO):
        self.file = file
        self._error: OSError | None = None

    def write(self, data: bytes) -> None:
        """Writes, unless that fails."""
        self._guard(self.file.write, data)

    def flush(self) -> None:
        """Flushes, unless that fails."""
        self._guard(self.file.flush)

    def close(self) -> None:
        """Closes in any case."""
        self._guard(self.file.close)

    def check(self) -> None:
        """Raises what has failed since the last check."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _guard(self, call: Callable[..., Any], *arguments: bytes) -> None:
        try:
            call(*arguments)
        except OSError as error:
            self._error = error


class TensorBoard:
    """Events of TensorBoard in the run directory; raises OSError if it is full."""

    def __init__(self, directory: Path, purge_step: int = 0):
        # Imported here: 80 ms, which a process that shows nothing need not spend.
        from tensorboardX import SummaryWriter

        self._writer = SummaryWriter(
            str(directory), flush_secs=10, purge_step=purge_step + 1
        )
        records = self._writer.file_writer.event_writer._ev_writer._py_recordio_writer
        self._file = records._writer = _Guarded(records._writer)

    def write(self, counts: Counts, role: str, values: Mapping[str, float]) -> None:
        """Takes values; on disk within ten seconds."""
        for name, value in values.items():
            if math.isfinite(value):
                self._writer.add_scalar(f"{role}/{name}", value, counts.clock)
        self._file.check()

    def close(self) -> None:
        """Writes what is left."""
        self._writer.close()
        self._file.check()


class Wandb:
    """A run at Weights & Biases; one that is resumed goes on there."""

    def __init__(self, directory: Path, experiment: Any, mode: WandbMode):
        if mode == "offline":  # then it is to talk to nobody, and there is no address
            os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
            os.environ.setdefault("WANDB_SILENT", "true")
        import wandb

        try:
            self._run = wandb.init(
                project="munchausen",
                name=f"{experiment.name}/{directory.name}",
                group=experiment.name,
                id=_wandb_id(directory, wandb.util.generate_id),
                resume="allow" if mode == "online" else None,
                mode=mode,
                dir=str(directory),
                config=serialization.to_plain(experiment),
                settings=wandb.Settings(console="off"),
            )
        except (wandb.Error, OSError) as error:
            reason = " ".join(str(error).split())
            raise RunDirectoryError(f"Weights & Biases: {reason}") from error
        axis = "learner_steps" if experiment.dataset else "actor_steps"
        self._run.define_metric("*", step_metric=axis)

    def write(self, counts: Counts, role: str, values: Mapping[str, float]) -> None:
        """Takes values, with all four counters beside them."""
        finite = {
            f"{role}/{name}": value
            for name, value in values.items()
            if math.isfinite(value)
        }
        self._run.log(finite | counts._asdict())

    def close(self) -> None:
        """Sends what is left, online; waits for it."""
        self._run.finish()


def _wandb_id(directory: Path, generate: Any) -> str:
    """The run's name there, made once."""
    path = directory / _WANDB_ID
    with contextlib.suppress(FileNotFoundError):
        return path.read_text().strip()
    path.parent.mkdir(exist_ok=True)
    name = generate()
    path.write_text(name)
    return name


def check(wandb: WandbMode) -> None:
    """Says no before anything starts.

    Raises:
        ValueError: Weights & Biases is not installed, or knows no key.
    """
    if wandb == "off":
        return
    if importlib.util.find_spec("wandb") is None:
        raise ValueError("the package wandb is not installed: `make wandb` does it")
    if wandb == "online":
        import wandb as library

        if not library.api.api_key:
            raise ValueError(
                "Weights & Biases has no key of yours: `wandb login`, or WANDB_API_KEY"
            )
