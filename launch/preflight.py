"""Checks, before a run starts, that its settings fit each other and this machine."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import jax
import numpy as np

import environments
from agents.parts.checks import InvalidSetting
from agents.parts.contract import (
    Agent,
    Preparation,
    Spec,
    Stage,
    Storage,
    TrainingState,
)
from environments.vector import VectorEnvironment
from launch import devices, memory, surroundings
from launch.build import (
    make_actor_environment,
    make_agent,
    make_spec,
    make_stages,
)
from launch.errors import UnevenShares
from launch.experiment import PROCESSES, REFUSE_FLAWS, Experiment, Mode
from launch.runs import dashboards, initial_networks
from launch.runs.dashboards import WandbMode

if TYPE_CHECKING:
    from launch.datasets.normalization import Prepared


class Ready(NamedTuple):
    """The parts of an experiment that `check` has built; the experiment can run.

    Attributes:
        spec: spec of its environment.
        frame_stack: how many frames an observation stacks; 1 if none.
        environment: the actor's environment in a local run that acts; the caller closes
            it.
        dataset: the dataset of a run that learns from one.
        notes: what the caller should know about the run.
    """

    spec: Spec
    frame_stack: int
    environment: VectorEnvironment | None
    dataset: "Prepared | None"
    notes: tuple[str, ...] = ()


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
    """Refuses an experiment that cannot run, before anything starts or is written.

    Args:
        experiment: the experiment to run.
        mode: how to run it.
        wandb: whether to log to Weights & Biases.
        at_once: number of such runs that share this machine's memory.
        here: whether this process itself will run it, not a child process; only then
            may it query devices and keep an environment.
        directory: run directory, if the run is resumed.
        start: actor steps, if the run is resumed.

    Raises:
        ValueError: a setting does not fit; the message says which value would.
    """
    dashboards.check(wandb)
    environments.try_out(experiment.environment, experiment.seed)
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
    notes = [] if dataset is None else [*dataset.notes]
    if dataset is None:
        notes += _learns_nothing(experiment, spec)
    return Ready(spec, frame_stack, environment if acts else None, dataset, (*notes,))


def _learns_nothing(experiment: Experiment, spec: Spec) -> Iterator[str]:
    """Yields a note if a run ends before its first update."""
    storage = make_agent(experiment, spec).storage
    first = storage.min_size + storage.batch_size / storage.samples_per_insert
    lanes, made = experiment.environments, experiment.steps
    if storage.order == "queue":
        first, made = storage.batch_size, lanes * math.ceil(made / lanes)
    if made < first:
        yield (
            f"{experiment.name} will learn nothing: its first update comes after "
            f"{math.ceil(first):,} actor steps, and it ends after {experiment.steps:,} "
            "(--steps)"
        )


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
    state = initial_networks.check(experiment, stages)
    check_shares(experiment, mode, stages)
    if here and mode not in PROCESSES:
        check_devices(stages)
    if experiment.replay != "host":
        _check_place(experiment, mode, stages[-1])
    last = stages[-1]
    if last.source == "dataset":
        _check_offline(experiment, last.agent)
        memory.check_offline(
            state,
            local=mode == "local",
            learners=_learners_here(experiment, mode),
            at_once=at_once,
        )
        return _read_dataset(experiment, spec, last.agent, directory)
    _check_online(experiment)
    _check_memory(
        experiment,
        mode,
        last.agent.storage,
        spec,
        frame_stack,
        state,
        at_once=at_once,
        here=here,
    )
    return None


def _read_dataset(
    experiment: Experiment, spec: Spec, agent: Agent, directory: Path | None
) -> "Prepared":
    """Reads the dataset of a run, and checks that it is large enough for the agent."""
    from launch.datasets.load import load_prepared  # runs that act read no data

    dataset = load_prepared(experiment, spec, directory)
    if agent.tables is not None:
        agent.tables.check(len(dataset.transitions.reward))
    return dataset


def _check_memory(
    experiment: Experiment,
    mode: Mode,
    storage: Storage,
    spec: Spec,
    frame_stack: int,
    state: TrainingState,
    *,
    at_once: int,
    here: bool,
) -> None:
    """Refuses a run that does not fit into the memory of machine and devices."""
    keeper: memory.Keeper = "replay" if experiment.replay == "host" else "learner"
    keeper = "local" if mode == "local" else keeper
    if experiment.replay == "device":
        asks = here and mode not in PROCESSES  # else the learner checks its devices
        if asks:
            memory.check_device(storage, spec, frame_stack)
        if not asks or jax.default_backend() != "cpu":
            # The host keeps all but the frames.
            nothing = jax.ShapeDtypeStruct((0,), np.uint8)
            spec, frame_stack = spec._replace(observation=nothing), 1
    learners, actors = _learners_here(experiment, mode), experiment.actors
    others = {"learner": learners, "replay": experiment.replays}
    if mode == "ray":  # actors and evaluator run wherever the cluster has room
        actors = others["evaluator"] = 0
    memory.check(
        storage,
        spec,
        frame_stack,
        actors=actors,
        keeper=keeper,
        at_once=at_once,
        others=others,
        state=state,
    )


def _learners_here(experiment: Experiment, mode: Mode) -> int:
    """Learners on this machine: with Ray each may have another host."""
    return 1 if mode == "ray" else experiment.learners


def check_shares(experiment: Experiment, mode: Mode, stages: Sequence[Stage]) -> None:
    """Refuses learners or replay servers that cannot share the work of a run.

    Args:
        experiment: the experiment to run.
        mode: how to run it.
        stages: its learning stages.

    Raises:
        ValueError: a number does not fit; the message says which would.
    """
    learners, replays = experiment.learners, experiment.replays
    if learners > 1 and mode in ("local", "threads"):
        raise ValueError(
            f"--learners must be 1 with --launch {mode}, got {learners}: each learner "
            "is a process; choose --launch processes"
        )
    if learners > 1 and len(stages) > 1:
        raise ValueError(
            f"--learners must be 1 for {experiment.agent_name}, which learns in "
            f"{len(stages)} stages, got {learners}"
        )
    if replays > 1 and mode == "local":
        raise ValueError(
            f"--replays must be 1 with --launch local, got {replays}: a local run has "
            "no replay server; choose --launch processes"
        )
    if replays > 1 and stages[-1].source == "dataset":
        raise ValueError(
            "--replays must be 1 for a run that learns from a dataset, which has no "
            f"replay, got {replays}"
        )
    if replays > experiment.actors:
        raise ValueError(
            f"--replays must be at most --actors {experiment.actors}, got {replays}: "
            "each actor stores into one of the replay servers"
        )
    if learners > 1 and experiment.updates_per_call > 1:
        raise ValueError(
            "--updates_per_call must be 1 with several learners, which agree on each "
            f"update, got {experiment.updates_per_call}"
        )
    storage = stages[-1].agent.storage
    if storage.order == "queue":
        _check_queues(experiment, mode, storage)
    else:
        _check_parts(storage, learners, replays)


def _check_parts(storage: Storage, learners: int, replays: int) -> None:
    """Refuses numbers of learners and servers that a replay cannot be divided into."""
    if storage.batch_size % (learners * replays):
        raise UnevenShares(storage.batch_size, learners, replays)
    if storage.min_size < replays:
        raise InvalidSetting(
            "storage.min_size", storage.min_size, f"at least --replays {replays}"
        )


def _check_queues(experiment: Experiment, mode: Mode, storage: Storage) -> None:
    """Refuses a number of learners or actors that an agent with queues cannot have."""
    if experiment.learners > 1:
        raise ValueError(
            f"--learners must be 1 for {experiment.agent_name}, whose transitions are "
            f"queued, got {experiment.learners}"
        )
    if experiment.act_under_update:
        raise ValueError(
            f"--act_under_update must be false for {experiment.agent_name}, which "
            "learns from actions of the newest parameters, got true"
        )
    if mode == "local":
        return  # it has one actor and one queue
    own = "storage." if hasattr(experiment.agent, "storage") else ""
    for name in ("batch_size", "capacity"):
        value = getattr(storage, name)
        if value % experiment.actors:
            raise ValueError(
                f"--actors must divide --agent.{own}{name} {value}, as each actor has "
                f"a queue of equal size, got {experiment.actors}"
            )


def check_devices(stages: Sequence[Stage]) -> None:
    """Refuses a stage whose batches the devices of all learners cannot share evenly.

    Starts a JAX backend: not for a process that launches the learner.

    Raises:
        UnevenBatch: the devices cannot share them.
        Unfit: JAX cannot start.
    """
    try:
        sharing = jax.devices()
    except (AssertionError, RuntimeError) as error:  # JAX gives no reason, or one
        raise surroundings.no_backend(str(error)) from error
    for stage in stages:
        devices.check_batch(stage.agent.storage.batch_size, sharing)


def _check_place(experiment: Experiment, mode: Mode, stage: Stage) -> None:
    """Refuses a replay outside of the server where no learner can keep it."""
    reasons = {
        "--learners 1, as one learner has it": experiment.learners > 1,
        "--replays 1, as one server passes rows on": experiment.replays > 1,
        "an agent that acts, not one that learns from a dataset": (
            stage.source == "dataset"
        ),
        "an agent with a replay, not one whose transitions are queued": (
            stage.agent.storage.order == "queue"
        ),
    }
    for needed, missing in reasons.items():
        if missing:
            raise ValueError(
                f"--replay {experiment.replay} needs {needed}; choose --replay host "
                f"for {experiment.name} with --launch {mode}"
            )


def _check_online(experiment: Experiment) -> None:
    """Refuses settings of a dataset in a run that acts."""
    pairs = {
        "dataset": (experiment.dataset_reading, REFUSE_FLAWS),
        "preparation": (experiment.preparation, Preparation()),
    }
    for name, (given, default) in pairs.items():
        if given != default:
            raise ValueError(
                f"flags that begin with --{name}. are for a run that learns from a "
                "dataset, but this one acts: name a dataset with --dataset, or remove "
                "them"
            )


def _check_offline(experiment: Experiment, agent: Agent) -> None:
    """Refuses settings that a run which learns from a dataset cannot have."""
    if not experiment.dataset:
        raise ValueError(
            f"{experiment.agent_name} learns from a dataset: name one with --dataset"
        )
    for name in ("actors", "environments"):
        if getattr(experiment, name) > 1:
            raise ValueError(
                f"a run that learns from a dataset must not have several {name}, got "
                f"--{name} {getattr(experiment, name)}; remove --{name}"
            )
    if experiment.evaluation.lockstep:
        raise ValueError(
            "evaluation.lockstep must be false for a run that learns from a dataset "
            "(it has no actors), got true; choose --evaluation.lockstep false"
        )
    if agent.storage.n_step > 1:
        raise ValueError(
            "storage.n_step must be 1 for a run that learns from a dataset of single "
            f"steps, got {agent.storage.n_step}; choose --agent.storage.n_step 1"
        )
    if agent.storage.terminal_at_time_limit:
        raise ValueError(
            "storage.terminal_at_time_limit must be false for a run that learns from a "
            "dataset, whose columns say where an episode terminated, got true; choose "
            "--agent.storage.terminal_at_time_limit false"
        )
