"""Where a store keeps its frames: in the memory of the host, or of the accelerator.

On an accelerator a batch of a store is the indices of its rows; the update itself
gathers and stacks the frames, so that a frame crosses to the device once, when it is
stored, and not whenever it is sampled.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from launch import devices

# Frames that are written in one call; fewer wait for the next batch.
_CHUNK = 64


class Frames(Protocol):
    """One frame for each row of a store."""

    @property
    def nbytes(self) -> int:
        """Bytes of all frames."""

    @property
    def shared(self) -> Any:
        """What `windows` refers to, with all frames written; None: to nothing."""

    def write(self, row: int, frame: np.ndarray) -> None:
        """Replaces the frame of a row."""

    def windows(self, rows: np.ndarray) -> np.ndarray:
        """What a batch holds for rows `[B, W]`: frames `[B, W, ...]`, or the rows."""

    def to_host(self) -> np.ndarray:
        """All frames `[rows, ...]`; whether it is a copy depends on the kind."""

    def load(self, frames: np.ndarray) -> None:
        """Replaces all frames `[rows, ...]`."""


class HostFrames:
    """Frames in the host's memory, which the system provides only as they are written.

    Attributes:
        shared: None: batches hold their frames.
    """

    shared = None

    def __init__(self, rows: int, shape: Sequence[int], dtype: Any):
        """All frames are 0.

        Args:
            rows: number of frames.
            shape: of a frame.
            dtype: of a frame.
        """
        self._frames = np.zeros((rows, *shape), dtype)

    @property
    def nbytes(self) -> int:
        """Bytes of all frames, of which the system may provide fewer."""
        return self._frames.nbytes

    def write(self, row: int, frame: np.ndarray) -> None:
        """Replaces the frame of a row."""
        self._frames[row] = frame

    def windows(self, rows: np.ndarray) -> np.ndarray:
        """Frames `[B, W, ...]` of rows `[B, W]`."""
        return self._frames.take(rows, axis=0)

    def to_host(self) -> np.ndarray:
        """All frames `[rows, ...]`."""
        return self._frames

    def load(self, frames: np.ndarray) -> None:
        """Replaces all frames."""
        self._frames = frames


class DeviceFrames:
    """Frames in the memory of the accelerator, whole on each device.

    New frames wait on the host until there are `_CHUNK` of them or a batch is drawn.
    """

    def __init__(self, rows: int, shape: Sequence[int], dtype: Any):
        """All frames are 0, and their memory is taken at once.

        Args:
            rows: number of frames.
            shape: of a frame.
            dtype: of a frame.
        """
        self._kind = jax.ShapeDtypeStruct((rows, *shape), dtype)
        self._frames = devices.zeros(self._kind)
        self._waiting: dict[int, np.ndarray] = {}

    @property
    def nbytes(self) -> int:
        """Bytes of all frames on one device."""
        return self._frames.nbytes

    @property
    def shared(self) -> jax.Array:
        """All frames `[rows, ...]`; valid until the next frame is written."""
        self._write_waiting()
        return self._frames

    def write(self, row: int, frame: np.ndarray) -> None:
        """Replaces the frame of a row, which the caller must not change later."""
        self._waiting[row] = frame
        if len(self._waiting) == _CHUNK:
            self._write_waiting()

    def windows(self, rows: np.ndarray) -> np.ndarray:
        """The rows themselves, whose frames are gathered by `gathered`."""
        return rows.astype(np.int32)

    def to_host(self) -> np.ndarray:
        """A copy of all frames `[rows, ...]`."""
        return np.array(devices.local(self.shared))

    def load(self, frames: np.ndarray) -> None:
        """Replaces all frames."""
        self._waiting.clear()
        self._frames = devices.replicate(frames, copy=True)

    def _write_waiting(self) -> None:
        if not self._waiting:
            return
        rows = np.fromiter(self._waiting, np.int32)
        frames = np.stack(list(self._waiting.values()))
        # A call of another size would be compiled anew: the last frame is repeated.
        missing = _CHUNK - len(rows)
        rows = np.pad(rows, (0, missing), mode="edge")
        frames = np.concatenate([frames, np.repeat(frames[-1:], missing, axis=0)])
        self._frames = _written(self._frames, rows, frames)
        self._waiting.clear()


@functools.partial(jax.jit, donate_argnums=0)
def _written(frames: jax.Array, rows: jax.Array, new: jax.Array) -> jax.Array:
    """`frames [R, ...]` with `new [C, ...]` in `rows [C]`, in the same memory."""
    return frames.at[rows].set(new)


def gathered(rows: Any, shared: jax.Array) -> jax.Array:
    """Frames of indices `[B]` or `[B, S]` in `shared [R, ...]`; jit-able."""
    return jnp.take(shared, rows, axis=0, mode="clip")


KINDS: Mapping[str, type[HostFrames] | type[DeviceFrames]] = {
    "host": HostFrames,
    "device": DeviceFrames,
}
