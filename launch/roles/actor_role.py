"""An actor of a program: acts until the run's budget of actor steps is spent."""

import time
from collections.abc import Callable
from contextlib import closing

import environments
from agents.parts.contract import Agent
from launch.build import make_agent
from launch.errors import Stopped
from launch.replay import DistributedAdder
from launch.roles.actor import Actor, Loop
from launch.roles.context import REPORT_SECONDS, Context, Run
from launch.roles.parameters import Parameters, network_names
from launch.runs.logs import Counts

# Connects to the replay, for as many environments as an actor has.
MakeAdder = Callable[[Run, Agent, Context], DistributedAdder]


class ActorRole:
    """Acts, and reports its steps and episodes to the coordinator."""

    def __init__(self, run: Run, context: Context, make_adder: MakeAdder):
        """Makes no connection yet.

        Args:
            run: the run.
            context: made by the engine.
            make_adder: connects to the replay.
        """
        self._run = run
        self._context = context
        self._make_adder = make_adder
        self._coordinator = context.peer("coordinator")

    def run(self) -> None:
        """Acts, reports, and stores the last experience."""
        experiment, context = self._run.experiment, self._context
        stop = context.stop
        environment_seed, seed = experiment.seeds(
            "actor", context.index, self._run.start.actor_steps, context.life
        )
        lanes = experiment.environments
        environment = context.watched(
            environments.make(experiment.environment, lanes, environment_seed)
        )
        agent = make_agent(experiment, self._run.spec)
        adder = self._make_adder(self._run, agent, self._context)
        try:
            names = network_names(agent, self._run.spec)
            learner = self._context.peer("learner")
            with closing(Parameters(learner, names, stop)) as parameters:
                # A queue's items are made with the newest parameters, at any price.
                fresh = agent.storage.order == "queue"
                actor = Actor(
                    agent.act,
                    parameters.fetch if fresh else parameters,
                    seed,
                    adder=adder,
                    version=(lambda: parameters.learner_step) if fresh else None,
                    reward_clip=environment.reward_clip,
                )
                # After a restart, exploration continues where the run is.
                joined = self._coordinator.join(context.name, context.life)
                actor.actor_steps = Counts(*joined).actor_steps
                self._act(Loop(environment, actor), actor, adder)
            adder.close()
            if not stop.is_set():
                self._coordinator.actor_ended(context.name)
        except Stopped:
            pass  # before the learner started, or after the coordinator ended
        finally:
            environment.close()
            self._coordinator.close()

    def _act(self, loop: Loop, actor: Actor, adder: DistributedAdder) -> None:
        """Steps until all actors together have done the run's steps."""
        budget, total = self._run.experiment.steps, actor.actor_steps
        steps, frames, waited, episodes = 0, 0, 0.0, list[tuple[float, int]]()
        began = time.monotonic()
        while total < budget and not self._context.stop.is_set():
            episodes += [(e.episode_return, e.length) for _, e in loop.step()]
            now = time.monotonic()
            # The steps of all actors, as far as known: exploration depends on them.
            known = total + loop.actor_steps - steps
            if now - began >= REPORT_SECONDS or known >= budget:
                total = self._coordinator.report_actor(
                    self._context.name,
                    loop.actor_steps - steps,
                    loop.frames - frames,
                    episodes,
                    (adder.waited_seconds - waited) / (now - began),
                )
                steps, frames = loop.actor_steps, loop.frames
                waited = adder.waited_seconds
                actor.actor_steps, episodes, began = total, [], now
