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
    """The shapes and dtypes of an environment's observations and actions.

    Attributes:
        observation: shape and dtype of one observation, without a batch axis.
        num_actions: A, the number of discrete actions, or the number of tokens of a
            vocabulary; 0 if actions are continuous.
        action: shape and dtype of one action, without a batch axis: `[]` int32 if
            discrete, `[D]` float32 in [-1, 1] if continuous, `[T]` int32 if an action
            is a completion of T tokens. Then an observation is `[P + T]` int32: a
            prompt, then its reference completion.
        references: whether there are such completions; without them those columns of
            an observation are padding.
    """

    observation: jax.ShapeDtypeStruct
    num_actions: int
    action: jax.ShapeDtypeStruct
    references: bool = True

    @property
    def kind(self) -> Literal["discrete", "continuous", "tokens"]:
        """Which actions these are."""
        if not self.num_actions:
            return "continuous"
        return "tokens" if self.action.shape else "discrete"


class Transition(NamedTuple):
    """A batch of n-step transitions, as the replay or a dataset returns them.

    Attributes:
        observation: `[B, ...]` at time t.
        action: `[B]`, `[B, D]` or `[B, T]`, taken at time t.
        reward: `[B]` sum of gamma^i r_{t+i+1} over at most n steps, cut short by a
            discount of 0 and by the end of the episode.
        discount: `[B]` product of the environment's discounts times gamma^(k-1), k the
            number of steps in the sum; the agent multiplies by gamma once more.
        next_observation: `[B, ...]` at time t + k.
        extras: a pytree with leaves `[B, ...]`: the extras that the agent's `act`
            returned with these actions or, from a dataset, the rows of the
            `DatasetTables`; the empty tuple if there is neither.
    """

    observation: Any
    action: Any
    reward: Any
    discount: Any
    next_observation: Any
    extras: Any = ()


class Others(NamedTuple):
    """Further actions at an observation, which the environment only scores.

    A policy of a language task may return them in its extras, under any name. Before
    they are stored, the actor replaces `rewards` by the task's scores.

    Attributes:
        actions: `[N, K, ...]`, K further actions of each environment.
        rewards: `[N, K]` float32; from `act`, zeros.
    """

    actions: Any
    rewards: Any


@dataclass(frozen=True)
class Storage:
    """How an agent's transitions are stored and sampled, in any kind of store.

    Attributes:
        n_step: number of rewards summed in one transition.
        capacity: number of agent steps kept; the oldest are overwritten. In a local run
            an episode of T steps takes T + S + n - 1 of them, with S stacked frames.
        min_size: agent steps stored before the first update.
        batch_size: transitions per update.
        samples_per_insert: transitions sampled per transition stored; with a batch of
            32 and one update every 4 agent steps, 8.
        terminal_at_time_limit: whether a truncated episode is stored as a terminated
            one, whose last value is 0. TensorFlow's Dopamine does so, and with it the
            published runs of its agents; here the agent bootstraps by default.
        order: replay: transitions are sampled uniformly, with replacement; queue: each
            one is used once, the oldest first. Then actors wait while `capacity`
            transitions are waiting, and `min_size` has no meaning.
    """

    n_step: int = 1
    capacity: int = 1_000_000
    min_size: int = 20_000
    batch_size: int = 32
    samples_per_insert: float = 8.0
    terminal_at_time_limit: bool = False
    order: Literal["replay", "queue"] = "replay"

    def __post_init__(self) -> None:
        for name in ("n_step", "capacity", "min_size", "batch_size"):
            checks.at_least(f"storage.{name}", getattr(self, name), 1)
        checks.above("storage.samples_per_insert", self.samples_per_insert, 0)
        if self.n_step > self.capacity:
            raise checks.InvalidSetting(
                "storage.n_step",
                self.n_step,
                f"at most storage.capacity, {self.capacity}",
            )
        if self.order not in ("replay", "queue"):
            raise checks.InvalidSetting(
                "storage.order", self.order, "one of replay, queue"
            )
        if self.order == "queue":
            self._check_queue()
        elif self.min_size > self.capacity:
            raise checks.InvalidSetting(
                "storage.min_size",
                self.min_size,
                f"at most storage.capacity, {self.capacity}, or learning never starts",
            )

    def _check_queue(self) -> None:
        for name in ("n_step", "samples_per_insert"):
            if getattr(self, name) != 1:
                raise checks.InvalidSetting(
                    f"storage.{name}", getattr(self, name), "1 for a queue"
                )
        if self.capacity < self.batch_size:
            raise checks.InvalidSetting(
                "storage.capacity",
                self.capacity,
                f"at least storage.batch_size, {self.batch_size}, for a queue",
            )


class TrainingState(NamedTuple):
    """The complete state of a learner; its dictionaries are keyed by network name.

    Attributes:
        params: online parameters, including those of networks that do not learn.
        target_params: target parameters, equal to `params` at the start; empty if no
            loss reads them, else mostly those of the networks that learn.
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
        normalize_observations: whether to normalise observations to mean 0 and
            deviation 1 over the dataset, also in evaluation.
        scale_rewards: whether to divide rewards by the largest minus the smallest.
    """

    normalize_observations: bool = True
    scale_rewards: bool = False


Init = Callable[[jax.Array], TrainingState]
Update = Callable[[TrainingState, Transition], tuple[TrainingState, Metrics]]
Act = Callable[[Params, jax.Array, Any, Any, Any], tuple[jax.Array, Any]]
Measure = Callable[[Params, jax.Array, Any], Metrics]


class DatasetTables(NamedTuple):
    """Tables precomputed from the dataset, such as nearest neighbours.

    An offline agent reads them for each sampled transition.

    Attributes:
        build: `(params, transitions [M, ...], tick) -> tables`, from the whole dataset,
            on the host, once before the first update; `params` are those of the
            networks that an earlier stage learned; `build` calls `tick()` now and then
            to show that it makes progress.
        read: `(tables, rows [B]) -> extras`, leaves `[B, ...]`, of the transitions at
            these rows of the dataset; jit-able.
        check: `(M) -> None`; raises InvalidSetting if M transitions are too few; called
            before the first stage learns.
    """

    build: Callable[[Params, Transition, Callable[[], None]], Any]
    read: Callable[[Any, jax.Array], Any]
    check: Callable[[int], None] = lambda size: None


class Agent(NamedTuple):
    """An algorithm: three pure functions, and the data that they need.

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
        tables: fill `Transition.extras`, for offline agents that need them.
        measure: `(params, key, observation) -> metrics`, what the paper plots besides
            the return, such as a distance to a teacher; leaves of `observation` are
            `[N, ...]`, at the beginning of N episodes; jit-able.
        given: names of networks that never learn and whose weights a run must be given,
            such as a teacher's.
    """

    init: Init
    update: Update
    act: Act
    storage: Storage
    discount: float
    tables: DatasetTables | None = None
    measure: Measure | None = None
    given: tuple[str, ...] = ()


class Stage(NamedTuple):
    """A part of a run: an agent, where its batches come from, and for how long.

    Attributes:
        agent: the agent that learns. Its networks replace the networks of the same
            names in the next stage.
        steps: learner steps; None: the number of steps of the run.
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
