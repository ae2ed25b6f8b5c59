"""The memory that a run needs, before it starts: of the machine and of its devices."""

import contextlib
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
import psutil

from agents.parts.contract import Spec, Storage, TrainingState
from launch.errors import DeviceFull

# Bytes without the replay: interpreter, JAX, TensorFlow, networks and environments.
_ROLE_BYTES = {"learner": 1.0e9, "replay": 0.3e9, "actor": 0.7e9, "evaluator": 0.7e9}
_ONE_OF_EACH: Mapping[str, int] = {"learner": 1, "replay": 1}
_LOCAL_BYTES = 1.0e9
_ROW_BYTES = 16  # reward, discount, steps and flags
# Reverb's overhead per transition. Measured as the growth of a server, frames included:
# Pong 3.4 kB, MinAtar and Hopper 4.0 kB, Humanoid 6.2 kB.
_ITEM_BYTES = 4_800

# Copies of the training state that a learner holds while it saves: its own, what the
# writer encodes, and the newest parameters with their gradient. Measured with a decoder
# of 35 million parameters: 3.4 states of 0.43 GB at the highest, 2.0 between saves.
_STATES = 3
# An actor or evaluator holds the parameters in use, and newer ones while they arrive.
_PARAMETERS = 2

# The role that keeps the replay, the one of a local run being the whole run.
Keeper = Literal["local", "replay", "learner"]


def replay_bytes(
    storage: Storage, spec: Spec, frame_stack: int, *, in_process: bool
) -> int:
    """Bytes of a full replay: each frame once, uncompressed, and the overhead.

    Reverb compresses images (bytes) to less than its overhead, other data hardly.
    """
    return storage.capacity * _transition_bytes(
        spec, frame_stack, in_process=in_process
    )


def estimate(
    storage: Storage,
    spec: Spec,
    frame_stack: int,
    *,
    actors: int,
    keeper: Keeper,
    others: Mapping[str, int] = _ONE_OF_EACH,
    state: TrainingState | None = None,
) -> dict[str, float]:
    """Estimated bytes of each role of a run; all its replicas together are one role.

    Networks count apart, as `networks`, wherever they are.

    Args:
        storage: of the agent.
        spec: of the environment.
        frame_stack: S, frames in one observation.
        actors: number of actors.
        keeper: the role that keeps the replay; local: the run is one process.
        others: number of replicas of other roles, by their names.
        state: of the agent, may be abstract; None: the networks do not count.
    """
    in_process = keeper != "replay"
    replay = replay_bytes(storage, spec, frame_stack, in_process=in_process)
    if keeper == "local":
        roles = {"local": _LOCAL_BYTES + replay}
        return roles | {"networks": float(_STATES * _bytes(state))}
    roles = dict(_ROLE_BYTES)
    for role, number in {**others, "actor": actors}.items():
        roles[role] *= number
    roles[keeper] += replay
    numbers = {**_ONE_OF_EACH, **others}
    acting = actors + numbers.get("evaluator", 1)
    parameters = _bytes(() if state is None else state.params)
    roles["networks"] = float(
        numbers["learner"] * _STATES * _bytes(state) + acting * _PARAMETERS * parameters
    )
    return roles


def _bytes(tree: Any) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def check(
    storage: Storage,
    spec: Spec,
    frame_stack: int,
    *,
    actors: int,
    keeper: Keeper,
    at_once: int = 1,
    available: int | None = None,
    others: Mapping[str, int] = _ONE_OF_EACH,
    state: TrainingState | None = None,
) -> None:
    """Refuses a run that does not fit into memory.

    Args:
        storage: of the agent.
        spec: of the environment.
        frame_stack: S, frames in one observation.
        actors: number of actors.
        keeper: the role that keeps the replay; local: the run is one process.
        at_once: number of such runs that share the machine.
        available: bytes; None asks the machine.
        others: number of replicas of other roles, by their names.
        state: of the agent, see `estimate`.

    Raises:
        ValueError: with the estimate, and the capacity that would fit.
    """
    available = free() if available is None else available
    available //= at_once
    roles = estimate(
        storage,
        spec,
        frame_stack,
        actors=actors,
        keeper=keeper,
        others=others,
        state=state,
    )
    needed = sum(roles.values())
    if needed <= available:
        return
    each_one = _transition_bytes(spec, frame_stack, in_process=keeper != "replay")
    rest = needed - storage.capacity * each_one
    fitting = math.floor((available - rest) / each_one)
    remedy = "use fewer actors, or a machine with more memory"
    if fitting >= storage.min_size:
        remedy = f"--agent.storage.capacity {fitting} would fit"
    elif roles["networks"] > available / 2:
        remedy = "choose smaller networks, or a machine with more memory"
    raise _does_not_fit(storage.capacity, roles, available, at_once, remedy)


def check_offline(
    state: TrainingState,
    *,
    local: bool,
    learners: int = 1,
    at_once: int = 1,
    available: int | None = None,
) -> None:
    """Refuses a run that learns from a dataset if its networks do not fit into memory.

    Args:
        state: of the agent, may be abstract.
        local: whether the run is one process.
        learners: number of learners.
        at_once: number of such runs that share the machine.
        available: bytes; None asks the machine.

    Raises:
        ValueError: with the estimate.
    """
    available = (free() if available is None else available) // at_once
    networks = float(learners * _STATES * _bytes(state))
    roles = {"local": _LOCAL_BYTES}
    if not local:
        networks += _PARAMETERS * _bytes(state.params)
        roles = {
            "learner": learners * _ROLE_BYTES["learner"],
            "evaluator": _ROLE_BYTES["evaluator"],
        }
    roles["networks"] = networks
    if sum(roles.values()) > available:
        remedy = "choose smaller networks, or a machine with more memory"
        raise _does_not_fit(None, roles, available, at_once, remedy)


def _does_not_fit(
    capacity: int | None,
    roles: Mapping[str, float],
    available: int,
    at_once: int,
    remedy: str,
) -> ValueError:
    """Makes the error for roles that need more bytes than are available."""
    replay = "" if capacity is None else f"with storage.capacity {capacity} "
    shares = ", ".join(f"{name} {size / 1e9:.1f}" for name, size in roles.items())
    each = ""
    if at_once > 1:
        each = f" for each of {at_once} runs"
        remedy += ", or run fewer at once with --parallel"
    return ValueError(
        f"the run must fit into memory: {replay}it "
        f"needs {sum(roles.values()) / 1e9:.1f} GB ({shares}), "
        f"{available / 1e9:.1f} GB are free{each}; {remedy}"
    )


def free(root: Path = Path("/")) -> int:
    """Bytes that this process can still use: of the machine, and within its cgroups.

    A container, a Slurm job and a pod may have less than their machine. What the files
    of a cgroup say is left out if they cannot be read.

    Args:
        root: where `proc` and `sys` are.
    """
    found = [psutil.virtual_memory().available]
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            found += _left(root / "sys/fs/cgroup", path, "memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            top = root / "sys/fs/cgroup/memory"
            names = "memory.limit_in_bytes", "memory.usage_in_bytes"
            found += _left(top, path, *names)
    return min(found)


def _left(top: Path, path: str, limit: str, used: str) -> Iterator[int]:
    """Bytes left in a cgroup and those that contain it, below the top of their tree."""
    own = top / path.lstrip("/")
    for group in (own, *own.parents):
        if not group.is_relative_to(top):
            return
        with contextlib.suppress(OSError, ValueError):  # no such file, or "max"
            most = int((group / limit).read_text())
            taken = int((group / used).read_text())
            yield max(most - taken + _cached(group / "memory.stat"), 0)


def _cached(stat: Path) -> int:
    """Bytes of files in memory that the kernel can drop."""
    rows = (line.split() for line in stat.read_text().splitlines())
    values = {name: int(value) for name, value in rows}
    return values.get("total_inactive_file", values.get("inactive_file", 0))


def _transition_bytes(spec: Spec, frame_stack: int, *, in_process: bool) -> int:
    shape = spec.observation.shape[int(frame_stack > 1) :]
    dtype = np.dtype(spec.observation.dtype)
    action = math.prod(spec.action.shape) * np.dtype(spec.action.dtype).itemsize
    own = math.prod(shape) * dtype.itemsize + action + _ROW_BYTES
    if in_process:
        return own
    return max(own, _ITEM_BYTES) if dtype == np.uint8 else own + _ITEM_BYTES


def check_device(
    storage: Storage, spec: Spec, frame_stack: int, free: int | None = None
) -> None:
    """Refuses a replay whose frames do not fit into the memory of each device.

    Args:
        storage: of the agent.
        spec: of the environment.
        frame_stack: S, frames in one observation.
        free: bytes of each device; None asks the devices. Those that do not tell, as
            CPUs, are not checked.

    Raises:
        DeviceFull: with the bytes, and the capacity that would fit.
    """
    if free is None:
        known = [device.memory_stats() for device in jax.local_devices()]
        rooms = [each["bytes_limit"] - each["bytes_in_use"] for each in known if each]
        free = min(rooms, default=None)
    shape = spec.observation.shape[int(frame_stack > 1) :]
    frame = math.prod(shape) * np.dtype(spec.observation.dtype).itemsize
    needed = storage.capacity * frame
    if free is None or needed <= free:
        return
    raise DeviceFull(
        f"--replay device must fit into each device: the frames of storage.capacity "
        f"{storage.capacity} need {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; "
        f"--agent.storage.capacity {free // frame} would fit, with no room for "
        "networks, or choose --replay host"
    )
