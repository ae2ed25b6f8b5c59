"""An experiment: everything that describes one run, as frozen, picklable data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

import environments
from agents.parts import checks
from agents.parts.contract import Preparation
from environments.keywords import Keywords

# Each role draws from its own stream of seeds; the order must not change.
ROLES = ("learner", "replay", "actor", "evaluator")

# How a run is started: one thread, or a program of threads, of processes, or of
# processes that Ray places on the hosts of a cluster.
Mode = Literal["local", "threads", "processes", "ray"]
PROCESSES = ("processes", "ray")  # the launcher itself neither acts nor learns
# Whose memory keeps the frames of a replay.
Place = Literal["host", "device"]  # of frames
Replay = Literal["host", "learner", "device"]


@dataclass(frozen=True)
class Supervision:
    """How the launcher of a program watches its roles; no part of the experiment.

    Attributes:
        actors_at_least: number of actors without which the run ends, after the others
            have died too often.
        grace: seconds that a run has to save itself after SIGTERM, SIGUSR1 or SIGUSR2,
            with which a scheduler announces that it will kill it.
        restarts: how often the program is started again from its newest checkpoint,
            after its learner, replay or coordinator has died, or a stall.
    """

    actors_at_least: int = 1
    grace: float = 25.0
    restarts: int = 0

    def __post_init__(self) -> None:
        checks.at_least("actors_at_least", self.actors_at_least, 1)
        checks.at_least("grace", self.grace, 0)
        checks.at_least("restarts", self.restarts, 0)


SUPERVISION = Supervision()


@dataclass(frozen=True)
class Evaluation:
    """When and how the evaluator measures the policy.

    Attributes:
        period: actor steps between evaluations.
        episodes: whole episodes per evaluation, played by the policy of that moment;
            unused in lock-step, and with `steps`.
        steps: instead of a number of episodes, the decisions after which no episode
            begins any more; those under way are played to their end. Dopamine's phases
            are of 125,000. 0: `episodes` decides.
        lockstep: instead, the evaluator takes one decision for each decision of the
            actors, with the newest policy, in as many environments as they have, at
            most 32; an evaluation covers the episodes that ended since the previous
            one, perhaps none.
    """

    period: int = 250_000
    episodes: int = 10
    lockstep: bool = False
    steps: int = 0

    def __post_init__(self) -> None:
        checks.at_least("evaluation.period", self.period, 1)
        checks.at_least("evaluation.episodes", self.episodes, 1)
        checks.at_least("evaluation.steps", self.steps, 0)
        if self.steps and self.lockstep:
            raise ValueError(
                f"steps must be 0 in lock-step, whose phases are as long as those of "
                f"the actors, got {self.steps}; choose --evaluation.lockstep false"
            )


@dataclass(frozen=True)
class Checkpointing:
    """When a run saves itself; it always does at its end.

    Attributes:
        period: actor steps between checkpoints. A local run restarts its environments
            at each of them, so that a run resumed there equals one that went on.
        minutes: wall time after which a checkpoint is due in any case; 0: never. Such
            checkpoints do not change a run. A local run resumed from one differs from
            then on from one that went on: only its environments restart there.
        keep: number of checkpoints to keep: the newest one and, of the others, the
            newest on the grid of `period`; at least one of a local run is on the grid.
        replay: whether to save the content of the replay as well.
    """

    period: int = 250_000
    minutes: float = 10.0
    keep: int = 2
    replay: bool = True

    def __post_init__(self) -> None:
        checks.at_least("checkpoint.period", self.period, 1)
        checks.at_least("checkpoint.minutes", self.minutes, 0)
        checks.at_least("checkpoint.keep", self.keep, 1)


@dataclass(frozen=True)
class DatasetReading:
    """What to do with flaws of a dataset; by default they are refused.

    Attributes:
        clip_actions: whether to clip actions that are out of their bounds; how many and
            by how much is printed.
        skip_bad_episodes: whether to leave out episodes with NaN, infinity, actions out
            of bounds or columns of wrong length; how many and which is printed.
    """

    clip_actions: bool = False
    skip_bad_episodes: bool = False


REFUSE_FLAWS = DatasetReading()


@dataclass(frozen=True)
class Origin:
    """The weights with which a network of a run begins.

    Attributes:
        network: the network's name in the run.
        path: a run's checkpoint, or a directory with a checkpoint of Hugging Face.
        source: the network's name in that run; empty: the checkpoint has only one.
        sha256: digest of the files that hold the weights.
    """

    network: str
    path: str
    source: str
    sha256: str


@dataclass(frozen=True)
class Experiment:
    """One run.

    Attributes:
        name: `<agent>/<environment>`, as on the command line.
        agent_name: key of `agents.REGISTRY`.
        agent: configuration of that agent.
        environment: configuration of the environment.
        steps: actor steps (decisions of all actors together); in a run that learns
            from a dataset, this and all periods below count learner steps.
        evaluation: the evaluator's grid.
        checkpoint: when the run saves itself.
        log_period: actor steps between rows of `metrics.jsonl`.
        stall_seconds: time without progress after which the run is ended. An actor or
            evaluator whose environment hangs for half of it is started again, if it is
            a process.
        seed: seed of all random numbers.
        actors: number of actors; one if local.
        environments: environments that each actor steps together.
        learners: number of learner processes, which share each batch; one if local. One
            learner uses all GPUs of its host. Several do so under Ray if --place gives
            each a host, and compute on the CPU if they share one.
        replays: number of replay servers, which share the transitions: actor i stores
            into server i modulo this number, so actors should be a multiple of it; one
            if local.
        act_under_update: whether a local run acts, and draws its next batch, while the
            learner computes: then actions and logged losses are one turn of updates
            older. In other runs actors never wait for an update.
        updates_per_call: K: the learner computes K updates in one call where so many
            are owed, which saves time if they are small; equal up to rounding.
        replay: where the replay of a program is: host, in the replay server; learner,
            in the learner's process, to which the server passes on what the actors
            store; device, as learner, with the frames in the memory of the accelerator,
            whole on each device, where the update stacks them, so that each frame moves
            to the device once. A local run has one process, and with device it acts and
            learns in turns, whatever `act_under_update` is.
        dataset: what to learn from instead of acting: an HDF5 or npz file, a Minari
            dataset's directory or id, a run directory; empty: actors act.
        dataset_reading: what to do with the dataset's flaws; its flags begin with
            `dataset.`.
        preparation: how that dataset is transformed first.
        initial: where the first weights of a network come from, by the network's name:
            a directory with a finished run or a Hugging Face checkpoint, or an
            experiment that is trained first, with the same seed, unless --runs has it;
            `#name` at the end selects one of its networks. By default that is the
            network of the same name if the run learned it, else `policy`.
        origins: the weights that `initial` stands for, found before the run begins.
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
    learners: int = 1
    replays: int = 1
    act_under_update: bool = False
    updates_per_call: int = 1
    replay: Replay = "host"
    dataset: str = ""
    dataset_reading: DatasetReading = field(
        default=REFUSE_FLAWS, metadata={"flag": "dataset"}
    )
    preparation: Preparation = Preparation()
    initial: Mapping[str, str] = field(default_factory=Keywords)
    # Equal experiments may have found their weights in different places.
    origins: tuple[Origin, ...] = field(default=(), compare=False)
    description: str = ""

    def __post_init__(self) -> None:
        for name in (
            "steps",
            "log_period",
            "actors",
            "environments",
            "learners",
            "replays",
            "updates_per_call",
        ):
            checks.at_least(name, getattr(self, name), 1)
        checks.at_least("seed", self.seed, 0)
        checks.above("stall_seconds", self.stall_seconds, 0)
        object.__setattr__(self, "initial", Keywords(self.initial))

    def seeds(
        self, role: str, index: int = 0, start: int = 0, life: int = 0
    ) -> list[int]:
        """Two independent 31-bit seeds of a process: its environment's and its own.

        Uses numpy only: the launcher of the processes must not start a JAX backend.

        Args:
            role: one of `ROLES`.
            index: which process of that role.
            start: actor steps of the run when the process starts, so that a resumed
                run gets other seeds.
            life: how often the process was started again after it died, so that it
                does not repeat what it did before.
        """
        key = (ROLES.index(role), index, start, *([life] if life else []))
        words = np.random.SeedSequence(self.seed, spawn_key=key).generate_state(2)
        return [int(word) >> 1 for word in words]
