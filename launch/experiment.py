"""An experiment: everything that describes one run, as frozen, picklable data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dm_env
import jax
import numpy as np

import agents
import environments
from agents.parts import checks, sgd
from agents.parts.types import Agent, Spec
from launch import memory
from launch.offline.preparation import Preparation, normalized

# Each role draws from its own stream of seeds; the order must not change.
ROLES = ("learner", "replay", "actor", "evaluator")


@dataclass(frozen=True)
class Evaluation:
    """When and how the evaluator measures the policy.

    Attributes:
        period: actor steps between evaluations.
        episodes: whole episodes in each, played by the policy of that moment.
        lockstep: instead, the evaluator takes a decision for each of the actors', with
            the newest policy, and an evaluation is of the episodes that ended since the
            one before: as many as there were, perhaps none.
    """

    period: int = 250_000
    episodes: int = 10
    lockstep: bool = False

    def __post_init__(self) -> None:
        checks.at_least("evaluation.period", self.period, 1)
        checks.at_least("evaluation.episodes", self.episodes, 1)


@dataclass(frozen=True)
class Checkpointing:
    """When a run saves itself; it always does at its end.

    Attributes:
        period: actor steps between checkpoints.
        minutes: wall time between checkpoints beside those; 0: none. Local runs restart
            their environments at a checkpoint, so with this they are not reproducible.
        keep: how many to keep, the newest.
        replay: whether to save what the store holds as well.
    """

    period: int = 250_000
    minutes: float = 0.0
    keep: int = 2
    replay: bool = True

    def __post_init__(self) -> None:
        checks.at_least("checkpoint.period", self.period, 1)
        checks.at_least("checkpoint.minutes", self.minutes, 0)
        checks.at_least("checkpoint.keep", self.keep, 1)


@dataclass(frozen=True)
class Experiment:
    """One run.

    Attributes:
        name: `<agent>/<environment>`, as on the command line.
        agent_name: key of `agents.REGISTRY`.
        agent: configuration of that agent.
        environment: configuration of the environment.
        steps: actor steps (decisions of all actors together); learner steps of a run
            that learns from a dataset, as are all periods below.
        evaluation: the evaluator's grid.
        checkpoint: when the run saves itself.
        log_period: actor steps between rows of `metrics.jsonl`.
        stall_seconds: after which a run in which nothing moves is ended.
        seed: of everything random.
        actors: number of actors; one if local.
        environments: environments that each actor steps together.
        dataset: what to learn from instead of acting: an HDF5 file, a Minari dataset's
            directory or id, a run directory; empty: nothing, actors act.
        preparation: what is done to that dataset first.
        description: one line for `munchausen list`.
    """

    name: str
    agent_name: str
    agent: Any
    environment: environments.Config
    steps: int
    evaluation: Evaluation = Evaluation()
    checkpoint: Checkpointing = Checkpointing()
    log_period: int = 1_000
    stall_seconds: float = 600.0
    seed: int = 0
    actors: int = 1
    environments: int = 1
    dataset: str = ""
    preparation: Preparation = Preparation()
    description: str = ""

    def __post_init__(self) -> None:
        for name in ("steps", "log_period", "actors", "environments"):
            checks.at_least(name, getattr(self, name), 1)
        checks.at_least("seed", self.seed, 0)
        checks.above("stall_seconds", self.stall_seconds, 0)

    def seeds(self, role: str, index: int = 0, start: int = 0) -> list[int]:
        """Two independent 31-bit seeds of a process: its environment's and its own.

        Uses numpy only: whoever launches the processes must not start a JAX backend.

        Args:
            role: one of `ROLES`.
            index: which process of that role.
            start: actor steps of the run when it starts; other draws after a restart.
        """
        key = (ROLES.index(role), index, start)
        words = np.random.SeedSequence(self.seed, spawn_key=key).generate_state(2)
        return [int(word) >> 1 for word in words]


def make_spec(environment: dm_env.Environment) -> Spec:
    """Describes an environment, single or vectorised, to an agent."""
    observation, action = environment.observation_spec(), environment.action_spec()
    num_actions = (
        action.num_values if isinstance(action, dm_env.specs.DiscreteArray) else 0
    )
    return Spec(
        observation=jax.ShapeDtypeStruct(observation.shape, observation.dtype),
        num_actions=num_actions,
        action=jax.ShapeDtypeStruct(action.shape, action.dtype),
    )


def spec_of(experiment: Experiment) -> Spec:
    """What its environment looks like to its agent."""
    environment = environments.make(experiment.environment, 1, experiment.seed)
    try:
        return make_spec(environment)
    finally:
        environment.close()


def make_agent(experiment: Experiment, spec: Spec) -> Agent:
    """Builds the experiment's agent.

    Raises:
        ValueError: the agent does not fit the environment.
    """
    agent = agents.REGISTRY[experiment.agent_name].agent(experiment.agent, spec)
    if experiment.dataset and experiment.preparation.normalize_observations:
        return normalized(agent, spec)
    return agent


def check_devices(experiment: Experiment, spec: Spec) -> None:
    """Refuses a stage whose batches the devices of this process cannot share evenly.

    Starts a JAX backend: not for whoever launches the processes that learn.

    Raises:
        ValueError: names the stage's own field.
    """
    devices = jax.local_devices()
    first = agents.REGISTRY[experiment.agent_name].pretraining
    learners = [] if first is None else [first(experiment.agent, spec)]
    for agent in (*learners, make_agent(experiment, spec)):
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
    if experiment.dataset or agents.REGISTRY[experiment.agent_name].offline:
        _check_offline(experiment, spec, agent, directory)
        return spec, environment.frame_stack
    memory.check(
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
    from launch.offline import stages  # it needs this module

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
    prepared = stages.load_prepared(experiment, spec, directory)
    if agent.lookup is not None:
        agent.lookup.check(len(prepared.transitions.reward))
