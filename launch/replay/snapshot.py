"""What a Reverb server holds, on disk: written by it, and read again when it starts.

Importing this module imports TensorFlow.
"""

import shutil
from pathlib import Path

import reverb


def save(client: reverb.Client, path: Path) -> None:
    """Has the server write its tables to a new directory; it must be on this host.

    Raises:
        OSError: the server does not answer, or cannot write.
    """
    try:
        client.server_info(timeout=5)  # without one, the next call waits for ever
        written = client.checkpoint()
    except (IndexError, RuntimeError, reverb.errors.ReverbError) as error:
        # An IndexError stands for resources that are exhausted, such as a full disk.
        raise OSError(str(error)) from error
    shutil.move(written, path)


def make_checkpointer(
    scratch: Path, snapshot: Path | None
) -> reverb.checkpointers.CheckpointerBase:
    """What a server needs to write its tables, and to start from those of `snapshot`.

    Args:
        scratch: an empty directory, on the file system of the run directory.
        snapshot: what `save` wrote; None: the tables start empty.
    """
    shutil.rmtree(scratch, ignore_errors=True)  # of a run that was killed
    scratch.mkdir(parents=True)
    return reverb.checkpointers.DefaultCheckpointer(
        str(scratch),
        fallback_checkpoint_path=None if snapshot is None else str(snapshot),
    )
