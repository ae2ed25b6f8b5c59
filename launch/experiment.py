"""An experiment: everything that describes one run, as frozen, picklable data."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

import environments
from agents.parts import checks
from agents.parts.contract import Preparation

# Each role draws from its own stream of seeds; the order must not change.
ROLES = ("learner", "replay", "actor", "evaluator")

# How a run is started: one thread, or a program of threads or of processes.
Mode = Literal["local", "threads", "processes"]


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
