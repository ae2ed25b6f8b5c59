"""The errors with which a run can fail, one class for each reason."""

import dataclasses
import signal
from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

# Signals with which schedulers announce that they will soon kill a process.
NOTICES = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
# The exit code of a command that should be started again (EX_TEMPFAIL of sysexits.h).
START_AGAIN = 75


def exit_code(number: int) -> int:
    """The exit code of a command that a signal has ended in order."""
    return START_AGAIN if number in NOTICES else 128 + number


class Interrupted(Exception):
    """A signal ended the run early, in order.

    Attributes:
        signal: its number.
    """

    def __init__(self, number: int):
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.signal = number


class EndedEarly(Exception):
    """A program ended in order before its last evaluation; the message says where."""


class NotFinite(Exception):
    """A loss or an environment gave no finite number; the message says which."""


class DiskFull(Exception):
    """A log could not be written; the message says where."""


class RoleFailed(Exception):
    """A role died; the message names it and ends with its last log lines."""


class RunDirectoryError(Exception):
    """A run directory cannot be written or read; the message says which and why."""


class SaveFailed(Exception):
    """A checkpoint could not be written; earlier checkpoints are still there."""


class RankLost(Exception):
    """A learner of several processes lost another one; the message has the reason."""


class Damaged(Exception):
    """A checkpoint is incomplete or was altered; the message says where."""


class Stalled(Exception):
    """No role has reported progress for too long; the message lists all roles."""


class Stopped(Exception):
    """The program is being stopped, and a role does not answer a call."""


class AgentMissing(ValueError):
    """A run's agent is not installed, or cannot be used; the message is one line."""


class DatasetError(RunDirectoryError, ValueError):
    """A dataset cannot be read, written or learnt from; the message says where and why.

    The command line treats it like a run directory that cannot be read.
    """


class PretrainedError(RunDirectoryError, ValueError):
    """A pretrained model or its tokenizer cannot be read, written or used.

    The message is one line. The command line treats it like a run directory that
    cannot be read.
    """


@runtime_checkable
class InvalidSetting(Protocol):
    """The error of an agent or environment if a field has an invalid value.

    A protocol, because importing the classes would import JAX, for which the command
    line's help must not wait.
    """

    field: str

    def message(self, name: str) -> str:
        """The message with another name for the field, such as its flag."""


class UnevenBatch(ValueError):
    """The devices that share a batch cannot share it evenly.

    Attributes:
        batch_size: B.
        devices: the number of devices.
    """

    def __init__(self, batch_size: int, devices: int):
        super().__init__(batch_size, devices)
        self.batch_size = batch_size
        self.devices = devices

    def __str__(self) -> str:
        return self.message("the batch size")

    def message(self, name: str) -> str:
        """The message with another name for the batch size, such as its flag."""
        wanted = f"a multiple of the {self.devices} devices that share a batch"
        return f"{name} must be {wanted}, got {self.batch_size}"


class UnevenShares(UnevenBatch):
    """Learners and replay servers cannot share a batch evenly.

    Attributes:
        batch_size: B.
        learners: number of learners.
        replays: number of replay servers.
    """

    def __init__(self, batch_size: int, learners: int, replays: int):
        super().__init__(batch_size, learners * replays)
        self.args = (batch_size, learners, replays)
        self.learners = learners
        self.replays = replays

    def message(self, name: str) -> str:
        """The message with another name for the batch size, such as its flag."""
        return (
            f"{name} must be a multiple of {self.devices}, as --learners "
            f"{self.learners} and --replays {self.replays} share each batch, got "
            f"{self.batch_size}"
        )


class DeviceFull(ValueError):
    """What a run keeps on a device does not fit; the message has the bytes."""


class RunFailed(Exception):
    """A run failed before its end; the message says why and where its logs are."""


class RunStopped(Exception):
    """A signal ended a run; the message says how it can be resumed.

    Attributes:
        signal: its number.
    """

    def __init__(self, message: str, number: int):
        super().__init__(message)
        self.signal = number

    @property
    def exit_code(self) -> int:
        """The exit code of the command."""
        return exit_code(self.signal)


def in_flags(error: Exception, experiment: Any) -> str:
    """The message of an error as one line, in which flags stand for field names.

    Agents and environments do not know the command line: their errors name fields.

    Args:
        error: why the experiment cannot run.
        experiment: a `launch.experiment.Experiment`.
    """
    settings = dict(_settings(experiment))
    if isinstance(error, UnevenBatch):
        flags = [
            f"--{path}"
            for path, value in settings.items()
            if path.endswith("batch_size") and value == error.batch_size
        ]
        return error.message(" and ".join(flags) or "the batch size")
    if isinstance(error, InvalidSetting):
        for path in (f"agent.{error.field}", error.field):
            if path in settings:
                return error.message(f"--{path}")
    return " ".join(str(error).split())


def _settings(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted path and value of each field of a dataclass and of nested dataclasses."""
    if not dataclasses.is_dataclass(value):
        yield path.removeprefix("."), value
        return
    for field in dataclasses.fields(value):
        yield from _settings(getattr(value, field.name), f"{path}.{field.name}")
