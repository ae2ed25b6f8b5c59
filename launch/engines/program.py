"""Describes a run as a program: its roles, which roles they call, how they end.

An engine reads this: `launch.engines.launchpad_engine` runs the roles as threads or as
processes.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from agents.parts.contract import Agent
from launch import memory
from launch.build import make_extras_spec
from launch.engines.restarts import Budget
from launch.experiment import Place
from launch.replay import DistributedAdder, row_table, shards
from launch.replay.fed import Fed
from launch.replay.in_process import InProcess
from launch.replay.reverb_batches import ReverbBatches
from launch.replay.reverb_queue import QueueAdder, QueueBatches, chunk_of
from launch.replay.rows import Rows
from launch.roles.actor_role import ActorRole
from launch.roles.batches import Batches
from launch.roles.batches_ahead import BatchesAhead
from launch.roles.context import Context, Run
from launch.roles.coordinator import Coordinator
from launch.roles.evaluator_role import EvaluatorRole
from launch.roles.learner_role import make_learner
from launch.roles.replay_role import ReplayRole

# Environment variables of a process that must not take accelerators.
NO_GPU = {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}
GRACE_SECONDS = 20.0  # for a role to end after it was asked to, by default
# The methods of the coordinator that other roles call.
_COORDINATOR = (
    "acting",
    "actor_ended",
    "counts",
    "evaluated",
    "evaluating",
    "evaluator_ended",
    "finish",
    "join",
    "learner_ended",
    "learning",
    "lost",
    "moved",
    "moment",
    "report_actor",
    "report_evaluated",
    "report_evaluation",
    "report_learner",
    "roster",
    "saving",
)


class Node(NamedTuple):
    """A role of a program, and what an engine must know to run it.

    Attributes:
        role: its name.
        make: builds the role from `(run, context)`; picklable.
        stops: place in the order of stopping, the lowest first.
        calls: roles whose methods it calls; of several replicas, those of the first.
        addresses: roles whose server it talks to.
        serves: its methods that other roles may call.
        listens: whether each replica has a server that other roles talk to.
        replicas: number of replicas; None: one, whose name has no number.
        accelerators: whether it may use accelerators; all other roles run on the CPU.
        patience: seconds that it has to end after it was asked to.
        saves: whether it saves the run when it ends.
        restarts: how often a supervisor starts it again after it died; None: its death
            ends the program. Threads have no supervisor.
        cpus: that a cluster reserves for each replica.
        finishes: whether its orderly end also ends the program.
        deadline: seconds without a sign of life after which the program is ended; None:
            the coordinator watches it.
    """

    role: str
    make: Callable[[Run, Context], Any]
    stops: int
    calls: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    serves: tuple[str, ...] = ()
    listens: bool = False
    replicas: int | None = None
    accelerators: bool = False
    patience: float = GRACE_SECONDS
    saves: bool = False
    restarts: Budget | None = None
    cpus: float = 1.0
    finishes: bool = False
    deadline: float | None = None

    def names(self) -> list[str]:
        """The name of each replica: `learner`, or `actor/0`, `actor/1` and so on."""
        if self.replicas is None:
            return [self.role]
        return [f"{self.role}/{index}" for index in range(self.replicas)]


_EVALUATOR = Node(
    "evaluator",
    EvaluatorRole,
    stops=2,
    calls=("learner", "coordinator"),
    # Its first report is its first evaluation, which may be long after its start.
    restarts=Budget(silent_lives=4),
)


def make(run: Run) -> list[Node]:
    """The roles of a run, in the order of starting.

    A run that learns from a dataset has neither replay nor actors.
    """
    acts = not run.experiment.dataset
    replay = ("replay",) if acts else ()
    coordinator = Node(
        "coordinator",
        Coordinator,
        stops=4,
        addresses=replay,
        serves=_COORDINATOR,
        cpus=0.0,  # it adds and writes a few lines
        finishes=True,
        deadline=run.experiment.stall_seconds,
    )
    learner = _learner(run, replay)
    if not acts:
        return [coordinator, learner, _EVALUATOR]
    actors = Node(
        "actor",
        functools.partial(ActorRole, make_adder=_reverb_adder),
        stops=1,
        calls=("learner", "coordinator"),
        addresses=replay,
        replicas=run.experiment.actors,
        restarts=Budget(),
    )
    server = Node(
        "replay",
        ReplayRole,
        stops=5,
        listens=True,
        replicas=_replicas(run.experiment.replays),
    )
    # Actors may be more than there is room for, so the evaluator comes first.
    return [server, coordinator, learner, _EVALUATOR, actors]


def _learner(run: Run, replay: tuple[str, ...]) -> Node:
    learners = run.experiment.learners
    return Node(
        "learner",
        functools.partial(make_learner, make_replay=_reverb_batches),
        stops=3,
        calls=("coordinator",),
        addresses=replay,
        serves=("get_variables",),
        # The first of several learners tells the others how JAX connects them.
        listens=learners > 1,
        replicas=_replicas(learners),
        accelerators=True,
        # It saves once more, and a replay of millions takes a while. A user who cannot
        # wait presses Ctrl+C again.
        patience=300.0,
        saves=True,
    )


def _replicas(number: int) -> int | None:
    """Replicas of a node whose name has a number only if there are several."""
    return number if number > 1 else None


def _reverb_batches(
    run: Run, agent: Agent, context: Context, acting: Callable[[int, int], bool]
) -> Batches:
    experiment = run.experiment
    extras = make_extras_spec(agent, run.spec)
    if agent.storage.order == "queue":
        actors, replays = experiment.actors, experiment.replays
        return QueueBatches(
            [
                context.address("replay", shards.shard_of(actor, replays))
                for actor in range(actors)
            ],
            agent.storage,
            run.spec,
            chunk=_queue_chunk(run, agent),
            stop=context.stop.is_set,
            acting=lambda actor: acting(actor, actors),
            extras=extras,
        )
    if experiment.replay != "host":
        return _fed(run, agent, context, lambda: acting(0, 1))
    batches = ReverbBatches(
        [context.address("replay", index) for index in range(experiment.replays)],
        agent.storage,
        run.spec,
        frame_stack=run.frame_stack,
        stop=context.stop.is_set,
        acting=lambda index: acting(index, experiment.replays),
        extras=extras,
        learners=experiment.learners,
    )
    return BatchesAhead(batches, experiment.updates_per_call)


def _fed(run: Run, agent: Agent, context: Context, acting: Callable[[], bool]) -> Fed:
    """A store in the learner's process, with a lane for each environment.

    Raises:
        DeviceFull: its frames do not fit into the memory of the devices.
    """
    experiment = run.experiment
    place: Place = "device" if experiment.replay == "device" else "host"
    if place == "device":
        memory.check_device(agent.storage, run.spec, run.frame_stack)
    store = InProcess(
        agent.storage,
        run.spec,
        discount=agent.discount,
        frame_stack=run.frame_stack,
        num_environments=experiment.actors * experiment.environments,
        seed=experiment.seeds("replay")[1],
        extras=make_extras_spec(agent, run.spec),
        place=place,
    )
    return Fed(
        context.address("replay"),
        agent.storage,
        store,
        stop=context.stop.is_set,
        acting=acting,
        updates_per_call=experiment.updates_per_call,
    )


def _reverb_adder(run: Run, agent: Agent, context: Context) -> DistributedAdder:
    import reverb  # imported in the process that needs it

    from launch.replay import reverb_store

    experiment, storage, spec = run.experiment, agent.storage, run.spec
    shard = shards.shard_of(context.index, experiment.replays)
    client = reverb.Client(context.address("replay", shard))
    lanes = experiment.environments
    settings: dict[str, Any] = {
        "num_environments": lanes,
        "stop": context.stop.is_set,
        "extras": make_extras_spec(agent, spec),
    }
    if storage.order == "queue":
        table, chunk = shards.queue_name(context.index), _queue_chunk(run, agent)
        return QueueAdder(client, storage, spec, table=table, chunk=chunk, **settings)
    settings |= {"discount": agent.discount, "frame_stack": run.frame_stack}
    if experiment.replay == "host":
        return reverb_store.ReverbAdder(client, storage, spec, **settings)
    stop = settings.pop("stop")
    return row_table.ChunkAdder(
        client,
        Rows(storage, spec, **settings),
        chunk=row_table.rows_of_chunk(storage),
        first_lane=context.index * lanes,
        stop=stop,
    )


def _queue_chunk(run: Run, agent: Agent) -> int:
    experiment = run.experiment
    return chunk_of(agent.storage, experiment.actors, experiment.environments)
