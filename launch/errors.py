"""How a run can fail: one class for each reason, and what its message says."""

import signal


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
    """A loss or an environment gave NaN or infinity; the message says which."""


class DiskFull(Exception):
    """A log could not be written; the message says where."""


class RoleFailed(Exception):
    """A role died; the message names it and ends with its last log lines."""


class RunDirectoryError(Exception):
    """A run directory cannot be written or read; the message says which and why."""


class SaveFailed(Exception):
    """A checkpoint could not be written; those before it are still there."""


class Damaged(Exception):
    """A checkpoint is incomplete or was altered; the message says where."""


class Stalled(Exception):
    """No role has reported progress for too long; the message says how each stands."""


class Stopped(Exception):
    """The program is being stopped, and a node that was asked does not answer."""


class DatasetError(RunDirectoryError, ValueError):
    """A dataset cannot be read, written or learnt from; the message says where and why.

    The command line answers it as it answers a run directory that cannot be read.
    """


class RunFailed(Exception):
    """A run ended before its time; the message says why and where its logs are."""


class RunStopped(Exception):
    """A signal ended a run; the message says what is left of it.

    Attributes:
        signal: its number.
    """

    def __init__(self, message: str, number: int):
        super().__init__(message)
        self.signal = number
