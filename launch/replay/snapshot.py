"""Saves a Reverb server's tables to disk, and loads them when a server starts.

Importing this module imports Reverb.
"""

import shutil
from pathlib import Path

import reverb

from launch.replay.limiter import TABLE

_ANSWER_SECONDS = 5  # for the server's answer to a small question


def stored(client: reverb.Client) -> int:
    """Transitions in the server's table.

    Raises:
        OSError: the server does not answer.
    """
    try:
        return client.server_info(timeout=_ANSWER_SECONDS)[TABLE].current_size
    except (RuntimeError, reverb.errors.ReverbError) as error:
        raise OSError(str(error)) from error


def save(client: reverb.Client, path: Path) -> None:
    """Has the server write its tables to a new directory; it must run on this host.

    Raises:
        OSError: the server does not answer, or cannot write.
    """
    try:
        # Without an answer, checkpoint() would wait for ever.
        client.server_info(timeout=_ANSWER_SECONDS)
        written = client.checkpoint()
    except (IndexError, RuntimeError, reverb.errors.ReverbError) as error:
        # Reverb raises IndexError if resources are exhausted, such as a full disk.
        raise OSError(str(error)) from error
    shutil.move(written, path)


def make_checkpointer(
    scratch: Path, snapshot: Path | None
) -> reverb.checkpointers.CheckpointerBase:
    """Makes the checkpointer that writes a server's tables and loads `snapshot`.

    Args:
        scratch: an empty directory, on the file system of the run directory.
        snapshot: the directory that `save` wrote; None: the tables start empty.
    """
    shutil.rmtree(scratch, ignore_errors=True)  # left by a run that was killed
    scratch.mkdir(parents=True)
    return reverb.checkpointers.DefaultCheckpointer(
        str(scratch),
        fallback_checkpoint_path=None if snapshot is None else str(snapshot),
    )
