"""All refusals before a run starts: what does not fit each other or this machine."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import jax
import numpy as np
import psutil

import environments
from agents.parts.contract import Agent, Spec, Stage, Storage
from environments.vector import VectorEnvironment
from launch import devices
from launch.build import make_actor_environment, make_spec, make_stages
from launch.experiment import Experiment, Mode
from launch.runs import dashboards
from launch.runs.dashboards import WandbMode

if TYPE_CHECKING:
    from launch.datasets.normalization import Prepared


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


class Ready(NamedTuple):
    """An experiment that was found fit to run, and what was built to find out.

    Attributes:
        spec: of its environment.
        frame_stack: how many frames an observation stacks; 1 if none.
        environment: the actor's, of a local run that acts; the caller closes it.
        dataset: of a run that learns from one.
    """

    spec: Spec
    frame_stack: int
    environment: VectorEnvironment | None
    dataset: "Prepared | None"


def check(
    experiment: Experiment,
    mode: Mode = "local",
    *,
    wandb: WandbMode = "off",
    at_once: int = 1,
    here: bool = True,
    directory: Path | None = None,
    start: int = 0,
) -> Ready:
    """Refuses what cannot run, before anything starts or is written.

    Args:
        experiment: what is to run.
        mode: how.
        wandb: whether Weights & Biases shows it.
        at_once: how many such runs share this machine's memory.
        here: whether this process will run it, and not one that it starts; only then
            may it ask for devices and keep an environment.
        directory: of a run that resumes.
        start: actor steps of a run that resumes.

    Raises:
        ValueError: says what does not fit and what would.
    """
    dashboards.check(wandb)
    acts = here and mode == "local" and not experiment.dataset
    if acts:
        environment = make_actor_environment(experiment, start)
    else:
        environment = environments.make(experiment.environment, 1, experiment.seed)
    try:
        spec, frame_stack = make_spec(environment), environment.frame_stack
        dataset = _check_fit(
            experiment,
            mode,
            spec,
            frame_stack,
            at_once=at_once,
            here=here,
            directory=directory,
        )
    except BaseException:
        environment.close()
        raise
    if not acts:
        environment.close()
    return Ready(spec, frame_stack, environment if acts else None, dataset)


def _check_fit(
    experiment: Experiment,
    mode: Mode,
    spec: Spec,
    frame_stack: int,
    *,
    at_once: int,
    here: bool,
    directory: Path | None,
) -> "Prepared | None":
    """Checks agent, devices and data; returns the dataset of a run that has one."""
    stages = make_stages(experiment, spec)
    if here and mode != "processes":
        check_devices(stages)
    last = stages[-1]
    if last.source == "dataset":
        from launch.datasets.load import load_prepared  # runs that act read no data

        _check_offline(experiment, last.agent)
        dataset = load_prepared(experiment, spec, directory)
        if last.agent.tables is not None:
            last.agent.tables.check(len(dataset.transitions.reward))
        return dataset
    check_memory(
        last.agent.storage,
        spec,
        frame_stack,
        actors=experiment.actors,
        local=mode == "local",
        at_once=at_once,
    )
    return None


def check_devices(stages: Sequence[Stage]) -> None:
    """Refuses a stage whose batches the devices of this process cannot share evenly.

    Starts a JAX backend: not for a process that launches those which learn.

    Raises:
        UnevenBatch: the devices cannot share them.
    """
    local_devices = jax.local_devices()
    for stage in stages:
        devices.check_batch(stage.agent.storage.batch_size, local_devices)


def _check_offline(experiment: Experiment, agent: Agent) -> None:
    """Refuses settings that a run which learns from a dataset cannot have."""
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
