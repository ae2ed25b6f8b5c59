"""Whether what a run will store fits into this machine, asked before it starts."""

import math
from pathlib import Path

import jax
import numpy as np
import psutil

import agents
import environments
from agents.parts import sgd
from agents.parts.contract import Agent, Spec, Storage
from launch.build import make_agent, make_spec, make_stages
from launch.experiment import Experiment

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


def check_memory(
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


def check_devices(experiment: Experiment, spec: Spec) -> None:
    """Refuses a stage whose batches the devices of this process cannot share evenly.

    Starts a JAX backend: not for whoever launches the processes that learn.

    Raises:
        ValueError: names the stage's own field.
    """
    devices = jax.local_devices()
    for stage in make_stages(experiment, spec):
        agent = stage.agent
        sgd.check_batch(agent.storage.batch_size, devices, agent.batch_field)


def check(
    experiment: Experiment,
    local: bool = False,
    at_once: int = 1,
    *,
    here: bool = False,
    directory: Path | None = None,
) -> tuple[Spec, int]:
    """Builds environment and agent once, so that misfits show before anything starts.

    Args:
        experiment: what is to run.
        local: whether it will be one process.
        at_once: how many such runs will share this machine's memory.
        here: whether this process will learn, and may ask for its devices.
        directory: of a run that goes on.

    Returns:
        The environment's spec and how many frames its observations stack.

    Raises:
        ValueError: names what does not fit and what would.
    """
    environment = environments.make(experiment.environment, 1, experiment.seed)
    try:
        spec = make_spec(environment)
        agent = make_agent(experiment, spec)
    finally:
        environment.close()
    if here:
        check_devices(experiment, spec)
    if experiment.dataset or agents.REGISTRY[experiment.agent_name].dataset:
        _check_offline(experiment, spec, agent, directory)
        return spec, environment.frame_stack
    check_memory(
        agent.storage,
        spec,
        environment.frame_stack,
        actors=experiment.actors,
        local=local,
        at_once=at_once,
    )
    return spec, environment.frame_stack


def _check_offline(
    experiment: Experiment, spec: Spec, agent: Agent, directory: Path | None
) -> None:
    """Reads the dataset, so that what is wrong with it shows before anything starts."""
    if not experiment.dataset:
        raise ValueError(
            f"{experiment.agent_name} learns from a dataset: name one with --dataset"
        )
    if experiment.actors > 1:
        raise ValueError(
            f"actors is {experiment.actors}: who learns from a dataset does not act; "
            "leave --actors out"
        )
    if experiment.evaluation.lockstep:
        raise ValueError(
            "evaluation.lockstep is true: there is no actor to keep step with; choose "
            "--evaluation.lockstep false"
        )
    if agent.storage.n_step > 1:
        raise ValueError(
            f"storage.n_step is {agent.storage.n_step}: datasets hold single steps; "
            "choose --agent.storage.n_step 1"
        )
    from launch.datasets import load  # a run that acts reads no dataset

    prepared = load.load_prepared(experiment, spec, directory)
    if agent.lookup is not None:
        agent.lookup.check(len(prepared.transitions.reward))
