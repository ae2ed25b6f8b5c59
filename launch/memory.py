"""Whether what a run will store fits into this machine, asked before it starts."""

import math

import numpy as np
import psutil

from agents.parts.types import Spec, Storage

# Beside the replay: interpreter, JAX and TensorFlow, networks, environments, in bytes.
_ROLE_BYTES = {"learner": 1.0e9, "replay": 0.3e9, "actor": 0.7e9, "evaluator": 0.7e9}
_LOCAL_BYTES = 1.0e9
_ROW_BYTES = 16  # reward, discount, steps and flags
# Of Reverb's own for each transition. Measured, with the frames, and each by a server's
# growth: Pong 3.4 kB, MinAtar and Hopper 4.0 kB, Humanoid 6.2 kB.
_ITEM_BYTES = 4_800


def replay_bytes(storage: Storage, spec: Spec, frame_stack: int, *, local: bool) -> int:
    """Bytes of a full replay: each frame once, uncompressed, and what it costs besides.

    Reverb compresses: images, which are bytes, to below its own need, the rest hardly.
    """
    return storage.capacity * _transition_bytes(spec, frame_stack, local=local)


def estimate(
    storage: Storage, spec: Spec, frame_stack: int, *, actors: int, local: bool
) -> dict[str, float]:
    """Bytes that each role of a run will take, the actors together."""
    replay = replay_bytes(storage, spec, frame_stack, local=local)
    if local:
        return {"local": _LOCAL_BYTES + replay}
    roles = dict(_ROLE_BYTES)
    roles["replay"] += replay
    roles["actor"] *= actors
    return roles


def check(
    storage: Storage,
    spec: Spec,
    frame_stack: int,
    *,
    actors: int,
    local: bool,
    at_once: int = 1,
    available: int | None = None,
) -> None:
    """Refuses a run that cannot fit.

    Args:
        storage: of the agent.
        spec: of the environment.
        frame_stack: S, frames in one observation.
        actors: how many.
        local: whether all is one process.
        at_once: how many such runs share the machine.
        available: bytes; None asks the machine.

    Raises:
        ValueError: with the estimate, and the capacity that would fit.
    """
    available = psutil.virtual_memory().available if available is None else available
    available //= at_once
    roles = estimate(storage, spec, frame_stack, actors=actors, local=local)
    needed = sum(roles.values())
    if needed <= available:
        return
    rest = needed - replay_bytes(storage, spec, frame_stack, local=local)
    each_one = _transition_bytes(spec, frame_stack, local=local)
    fitting = math.floor((available - rest) / each_one)
    shares = ", ".join(f"{name} {size / 1e9:.1f}" for name, size in roles.items())
    remedy = (
        f"--agent.storage.capacity {fitting} would fit"
        if fitting >= storage.min_size
        else "use fewer actors, or a machine with more memory"
    )
    each = f" for each of {at_once}" if at_once > 1 else ""
    if at_once > 1:
        remedy += ", or fewer at once: --parallel"
    raise ValueError(
        f"storage.capacity is {storage.capacity}: the run needs {needed / 1e9:.1f} GB "
        f"({shares}), {available / 1e9:.1f} GB are free{each}; {remedy}"
    )


def _transition_bytes(spec: Spec, frame_stack: int, *, local: bool) -> int:
    shape = spec.observation.shape[int(frame_stack > 1) :]
    dtype = np.dtype(spec.observation.dtype)
    action = math.prod(spec.action.shape) * np.dtype(spec.action.dtype).itemsize
    own = math.prod(shape) * dtype.itemsize + action + _ROW_BYTES
    if local:
        return own
    return max(own, _ITEM_BYTES) if dtype == np.uint8 else own + _ITEM_BYTES
