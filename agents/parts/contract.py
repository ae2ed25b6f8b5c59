"""The contract between a paper and the machinery that runs it.

Letters in shapes: B batch, N environments of one actor, A actions, D features, M
transitions of a dataset.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import numpy as np

from agents.parts import checks

NetworkParams = Any  # of one network
Params = dict[str, NetworkParams]  # of all networks of an agent, by name
Metrics = dict[str, jax.Array]


class Spec(NamedTuple):
    """What an agent is told about its environment.

    Attributes:
        observation: shape and dtype of one observation, without a batch axis.
        num_actions: A, the number of discrete actions; 0 if actions are continuous.
        action: shape and dtype of one action, without a batch axis: `[]` int32 if
            discrete, `[D]` float32 in [-1, 1] if continuous.
    """

    observation: jax.ShapeDtypeStruct
    num_actions: int
    action: jax.ShapeDtypeStruct


class Transition(NamedTuple):
    """A batch of n-step transitions, as a store returns them.

    Attributes:
        observation: `[B, ...]` at time t.
        action: `[B]` or `[B, D]`, taken at time t.
        reward: `[B]` sum of gamma^i r_{t+i+1} over at most n steps, ended early by a
            discount of 0 and by the end of the episode.
        discount: `[B]` product of the environment's discounts times gamma^(k-1), k the
            number of steps in the sum; the agent multiplies by gamma once more.
        next_observation: `[B, ...]` at time t + k.
        extras: a pytree with leaves `[B, ...]`: the extras that the agent's `act`
            returned with these actions or, of a dataset, the rows of its
            `DatasetTables`; the empty tuple if there is neither.
    """

    observation: Any
    action: Any
    reward: Any
    discount: Any
    next_observation: Any
    extras: Any = ()


@dataclass(frozen=True)
class Storage:
    """What an agent needs stored; it does not know which store is used.

    Attributes:
        n_step: number of rewards summed in one transition.
        capacity: number of agent steps kept; the oldest are overwritten.
        min_size: agent steps stored before the first update.
        batch_size: transitions per update.
        samples_per_insert: transitions sampled per transition stored; with a batch of
            32 and one update every 4 agent steps, 8.
    """

    n_step: int = 1
    capacity: int = 1_000_000
    min_size: int = 20_000
    batch_size: int = 32
    samples_per_insert: float = 8.0

    def __post_init__(self) -> None:
        for name in ("n_step", "capacity", "min_size", "batch_size"):
            checks.at_least(f"storage.{name}", getattr(self, name), 1)
        checks.above("storage.samples_per_insert", self.samples_per_insert, 0)
        if self.min_size > self.capacity:
            raise checks.InvalidSetting(
                "storage.min_size",
                self.min_size,
                f"at most storage.capacity, {self.capacity}, or learning never starts",
            )


class TrainingState(NamedTuple):
    """Everything a learner owns; the dictionaries are keyed by network name.

    Attributes:
        params: online parameters, those of networks that do not learn among them.
        target_params: target parameters, equal to `params` at the start; offline, of
            the networks that learn only.
        opt_state: optimiser states.
        steps: `[]` int32 learner steps (gradient steps) done.
        key: consumed and replaced by each update.
    """

    params: Params
    target_params: Params
    opt_state: dict[str, Any]
    steps: jax.Array
    key: jax.Array


@dataclass(frozen=True)
class Preparation:
    """How a dataset is prepared for an agent.

    Attributes:
        normalize_observations: to mean 0 and deviation 1 over the dataset, in
            evaluation, too.
        scale_rewards: divided by the difference of the largest and the smallest.
    """

    normalize_observations: bool = True
    scale_rewards: bool = False


Init = Callable[[jax.Array], TrainingState]
Update = Callable[[TrainingState, Transition], tuple[TrainingState, Metrics]]
Act = Callable[[Params, jax.Array, Any, Any, Any], tuple[jax.Array, Any]]


class DatasetTables(NamedTuple):
    """Tables precomputed from the dataset, such as nearest neighbours.

    An offline agent reads them for each sampled transition.

    Attributes:
        build: `(params, transitions [M, ...], tick) -> tables`, from the whole dataset,
            on the host, once before the first update; `params` are those of the
            networks that an earlier stage learned; it calls `tick()` now and then, to
            show that it makes progress.
        read: `(tables, rows [B]) -> extras`, leaves `[B, ...]`, of the transitions at
            these rows of the dataset; jit-able.
        check: `(M) -> None`; raises InvalidSetting where M transitions are too few, so
            that this shows before an earlier stage learns.
    """

    build: Callable[[Params, Transition, Callable[[], None]], Any]
    read: Callable[[Any, jax.Array], Any]
    check: Callable[[int], None] = lambda size: None


class Agent(NamedTuple):
    """An algorithm: three pure functions and what they need stored.

    Attributes:
        init: `(key) -> TrainingState`.
        update: `(state, batch) -> (state, metrics)`, one gradient step on a Transition
            whose leaves are `[B, ...]`; jit-able.
        act: `(params, key, observation, actor_steps, evaluation) -> (action, extras)`;
            leaves of `observation` are `[N, ...]`, one row for each environment;
            `actor_steps` is `[]`, the decisions taken so far by all actors;
            `evaluation` is a `[]` bool. `extras` is a pytree with leaves `[N, ...]`
            that is stored with the transition, such as log-probabilities of the
            actions; `()` if nothing is to be stored.
        storage: what to store and how often to sample it.
        discount: gamma; weighs the rewards inside an n-step transition.
        tables: what fills `Transition.extras`, of offline agents that need them.
    """

    init: Init
    update: Update
    act: Act
    storage: Storage
    discount: float
    tables: DatasetTables | None = None


class Stage(NamedTuple):
    """A part of a run: an agent, where its batches come from, and for how long.

    Attributes:
        agent: what learns. The networks of one stage take the place of those that have
            the same names in the next.
        steps: learner steps; None: until the run has done its own steps.
        source: where batches come from.
        name: of the stage's folder in the run directory; empty: the last stage, whose
            folder is the run directory.
    """

    agent: Agent
    steps: int | None = None
    source: Literal["replay", "dataset"] = "replay"
    name: str = ""


def never_acts(
    params: Params, key: jax.Array, observation: Any, actor_steps: Any, evaluation: Any
) -> tuple[jax.Array, Any]:
    """The `act` of a stage that only prepares networks for the agent that acts."""
    raise TypeError("this stage has no policy")


def discrete_spec(shape: tuple[int, ...], dtype: Any, num_actions: int) -> Spec:
    """Spec of an environment with discrete actions."""
    return Spec(
        observation=jax.ShapeDtypeStruct(shape, np.dtype(dtype)),
        num_actions=num_actions,
        action=jax.ShapeDtypeStruct((), np.dtype(np.int32)),
    )
