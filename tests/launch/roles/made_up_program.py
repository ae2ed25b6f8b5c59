"""Stand-ins for the other roles when a test runs one role in its own thread."""

import numpy as np

from launch import build
from launch.replay.in_process import InProcess
from launch.roles.actor_role import ActorRole
from tests.launch.roles.fake_context import FakeContext


def agent_of(run):
    return build.make_agent(run.experiment, run.spec)


def store_of(run, agent):
    store = InProcess(
        agent.storage,
        run.spec,
        discount=agent.discount,
        frame_stack=1,
        num_environments=run.experiment.environments,
        seed=0,
    )
    store.waited_seconds = 0.0
    return store


class Parameters:
    """A learner that serves first parameters and has done 17 steps."""

    def __init__(self, run):
        self._params = agent_of(run).init(np.array([0, 7], np.uint32)).params

    def get_variables(self, names):
        return 17, [self._params[name] for name in names]


class Counting:
    """A coordinator that adds up what an actor reports."""

    def __init__(self, actor_steps=0):
        self.actor_steps, self.episodes, self.ended = actor_steps, [], 0
        self.joined = []

    def join(self, name, life):
        self.joined.append((name, life))
        return (self.actor_steps, 0, 0, 0)

    def report_actor(self, name, actor_steps, frames, episodes, waiting):
        assert name == "actor/1" and frames == actor_steps and waiting == 0
        self.actor_steps += actor_steps
        self.episodes += episodes
        return self.actor_steps

    def actor_ended(self, name):
        assert name == "actor/1"
        self.ended += 1


def filled(run, agent, steps):
    """A store that an actor has filled for `steps` actor steps."""
    store = store_of(run, agent)
    coordinator = Counting()
    context = FakeContext("actor/1", coordinator=coordinator, learner=Parameters(run))
    short = run._replace(
        experiment=run.experiment.__class__(**vars(run.experiment) | {"steps": steps})
    )
    ActorRole(short, context, make_adder=lambda *_: store).run()
    return store
