"""Shows a run's metrics in TensorBoard and, if enabled, in Weights & Biases.

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
    """Records the metrics of a run."""

    def write(self, counts: Counts, role: str, values: Mapping[str, float]) -> None:
        """Records values at these counts; values that are not finite are left out."""

    def close(self) -> None:
        """Sends or writes all pending values."""


def make(
    directory: Path, experiment: Any, *, purge_step: int, wandb: WandbMode
) -> list[Dashboard]:
    """Makes the dashboards of a run.

    Args:
        directory: the run directory; all dashboards write to it.
        experiment: the run's experiment.
        purge_step: TensorBoard discards earlier values after this step; Weights &
            Biases cannot, and shows old and new ones.
        wandb: whether to use Weights & Biases; offline: writes files, for
            `wandb sync --append <run>/wandb/offline-run-*`.

    Raises:
        RunDirectoryError: Weights & Biases did not start.
    """
    made: list[Dashboard] = []
    if wandb != "off":
        made.append(Wandb(directory, experiment, wandb))
    return [*made, TensorBoard(directory, purge_step)]


class _Guarded:
    """A file that keeps its write errors until the run checks for them.

    tensorboardX writes from its own thread and once more when the process ends; an
    error there would only print a traceback.
    """

    def __init__(self, file: BinaryIO):
        self.file = file
        self._error: OSError | None = None

    def write(self, data: bytes) -> None:
        """Writes; keeps an error for `check`."""
        self._guard(self.file.write, data)

    def flush(self) -> None:
        """Flushes; keeps an error for `check`."""
        self._guard(self.file.flush)

    def close(self) -> None:
        """Closes; keeps an error for `check`."""
        self._guard(self.file.close)

    def check(self) -> None:
        """Raises the last error since the previous check, if any."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _guard(self, call: Callable[..., Any], *arguments: bytes) -> None:
        try:
            call(*arguments)
        except OSError as error:
            self._error = error


class TensorBoard:
    """Writes TensorBoard events to the run directory; OSError if the disk is full."""

    def __init__(self, directory: Path, purge_step: int = 0):
        # Imported here: the import takes 80 ms, which most processes do not need.
        from tensorboardX import SummaryWriter

        # It takes a relative path such as `gs:runs` for a place in a cloud.
        self._writer = SummaryWriter(
            os.path.abspath(directory), flush_secs=10, purge_step=purge_step + 1
        )
        records = self._writer.file_writer.event_writer._ev_writer._py_recordio_writer
        self._file = records._writer = _Guarded(records._writer)

    def write(self, counts: Counts, role: str, values: Mapping[str, float]) -> None:
        """Records values; they are on disk within ten seconds."""
        for name, value in values.items():
            if math.isfinite(value):
                self._writer.add_scalar(f"{role}/{name}", value, counts.clock)
        self._file.check()

    def close(self) -> None:
        """Writes all pending values."""
        self._writer.close()
        self._file.check()


class Wandb:
    """A run at Weights & Biases; a resumed run continues the same one."""

    def __init__(self, directory: Path, experiment: Any, mode: WandbMode):
        if mode == "offline":  # no network, and no address to print
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
        """Records values together with all four counters."""
        finite = {
            f"{role}/{name}": value
            for name, value in values.items()
            if math.isfinite(value)
        }
        self._run.log(finite | counts._asdict())

    def close(self) -> None:
        """Ends the run; online, sends all pending values and waits for that."""
        self._run.finish()


def _wandb_id(directory: Path, generate: Any) -> str:
    """The run's id at Weights & Biases, generated once."""
    path = directory / _WANDB_ID
    with contextlib.suppress(FileNotFoundError):
        return path.read_text().strip()
    path.parent.mkdir(exist_ok=True)
    name = generate()
    path.write_text(name)
    return name


def check(wandb: WandbMode) -> None:
    """Checks that Weights & Biases can be used, before anything starts.

    Raises:
        ValueError: Weights & Biases is not installed, or has no API key.
    """
    if wandb == "off":
        return
    if importlib.util.find_spec("wandb") is None:
        raise ValueError("the package wandb is not installed: run `make wandb`")
    if wandb == "online":
        import wandb as library

        if not library.api.api_key:
            raise ValueError(
                "Weights & Biases needs an API key: run `wandb login` or set "
                "WANDB_API_KEY"
            )
