"""Describes a run as a program: its roles, which roles they call, how they end.

An engine reads this: `launch.engines.launchpad_engine` runs the roles as threads or as
processes.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from agents.parts.contract import Agent
from launch.build import make_extras_spec
from launch.engines.restarts import Budget
from launch.replay.reverb_batches import ReverbBatches
from launch.roles.actor_role import ActorRole
from launch.roles.batches import Batches
from launch.roles.context import Context, Run
from launch.roles.coordinator import Coordinator
from launch.roles.evaluator_role import EvaluatorRole
from launch.roles.learner_role import LearnerRole
from launch.roles.replay_role import ReplayRole

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
    "pending",
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
        calls: roles whose methods it calls.
        addresses: roles whose server it talks to.
        serves: its methods that other roles may call.
        listens: whether it has a server that other roles talk to.
        replicas: number of replicas; None: one, whose name has no number.
        accelerators: whether it may use accelerators; all other roles run on the CPU.
        patience: seconds that it has to end after it was asked to.
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
    learner = Node(
        "learner",
        functools.partial(LearnerRole, make_replay=_reverb_batches),
        stops=3,
        calls=("coordinator",),
        addresses=replay,
        serves=("get_variables",),
        accelerators=True,
        # It saves once more, and a replay of millions takes a while. A user who cannot
        # wait presses Ctrl+C again.
        patience=300.0,
    )
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
    server = Node("replay", ReplayRole, stops=5, listens=True)
    return [server, coordinator, learner, actors, _EVALUATOR]


def _reverb_batches(
    run: Run, agent: Agent, context: Context, acting: Callable[[], bool]
) -> Batches:
    return ReverbBatches(
        context.address("replay"),
        agent.storage,
        run.spec,
        frame_stack=run.frame_stack,
        stop=context.stop.is_set,
        acting=acting,
        extras=make_extras_spec(agent, run.spec),
    )


def _reverb_adder(run: Run, agent: Agent, context: Context) -> Any:
    # Imported in the process that needs it: Reverb brings TensorFlow along.
    import reverb

    from launch.replay import reverb_store

    return reverb_store.ReverbAdder(
        reverb.Client(context.address("replay")),
        agent.storage,
        run.spec,
        discount=agent.discount,
        frame_stack=run.frame_stack,
        num_environments=run.experiment.environments,
        stop=context.stop.is_set,
        extras=make_extras_spec(agent, run.spec),
    )
