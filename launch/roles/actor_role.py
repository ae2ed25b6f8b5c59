"""Actors and evaluators of a distributed run: what these nodes do."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

import launchpad as lp

import environments
from launch.build import make_agent, make_spec, spec_of
from launch.engines import process
from launch.engines.calls import Remote
from launch.errors import Stopped
from launch.roles.actor import Actor, Loop
from launch.roles.context import (
    REPORT_SECONDS,
    Run,
)
from launch.roles.evaluator import Evaluator, Lockstep
from launch.roles.parameters import Variables, network_names
from launch.runs.logs import Counts, Episode, last_evaluated_step
from launch.runs.schedule import Grid

_FOLLOW_SECONDS = 1.0  # of playing between two looks at where the actors are
_TICK_SECONDS = 2.0  # between two signs of life of a long evaluation


class ActorRole:
    """Acts until the program's budget of actor steps is spent."""

    def __init__(
        self,
        run: Run,
        index: int,
        make_adder: Callable[..., Any],
        replay: Any,
        learner: Any,
        coordinator: Any,
    ):
        """Connects to nobody yet.

        Args:
            run: what runs.
            index: which actor this is.
            make_adder: builds the writer of the store from its client.
            replay: Reverb client.
            learner: Courier client that serves parameters.
            coordinator: Courier client.
        """
        self._run = run
        self._index = index
        self._make_adder = make_adder
        self._replay = replay
        self._learner = learner
        self._coordinator = Remote(coordinator)

    @process.told()
    def run(self) -> None:
        """Acts, reports, and hands over the last experience."""
        experiment, start = self._run.experiment, self._run.start.actor_steps
        name = f"actor/{self._index}"
        process.set_role(name, experiment.name)
        environment_seed, seed = experiment.seeds("actor", self._index, start)
        environment = environments.make(
            experiment.environment, experiment.environments, environment_seed
        )
        spec = make_spec(environment)
        agent = make_agent(experiment, spec)
        stop = lp.stop_event()
        adder = self._make_adder(
            self._replay, agent, spec, environment, stop=stop.is_set
        )
        try:
            names = network_names(agent, spec)
            with closing(Variables(self._learner, names)) as variables:
                actor = Actor(
                    agent.act,
                    variables,
                    seed,
                    adder=adder,
                    reward_clip=environment.reward_clip,
                )
                actor.actor_steps = start
                self._act(name, Loop(environment, actor), actor, adder, stop)
            adder.close()
            if not stop.is_set():
                self._coordinator.actor_ended()
        except Stopped:
            pass  # before the learner was there, or after the coordinator was gone
        finally:
            environment.close()
            self._coordinator.close()
        process.leave()

    def _act(self, name: str, loop: Loop, actor: Actor, adder: Any, stop: Any) -> None:
        """Steps until all actors together have done the run's steps."""
        budget, total = self._run.experiment.steps, self._run.start.actor_steps
        steps, frames, waited, episodes = 0, 0, 0.0, list[tuple[float, int]]()
        began = time.monotonic()
        while total < budget and not stop.is_set():
            episodes += [(e.episode_return, e.length) for _, e in loop.step()]
            now = time.monotonic()
            # The steps of all actors, as far as known: exploration depends on them.
            known = total + loop.actor_steps - steps
            if now - began >= REPORT_SECONDS or known >= budget:
                waiting = (adder.waited_seconds - waited) / (now - began)
                total = self._coordinator.report_actor(
                    name,
                    loop.actor_steps - steps,
                    loop.frames - frames,
                    episodes,
                    waiting,
                )
                steps, frames, waited = (
                    loop.actor_steps,
                    loop.frames,
                    adder.waited_seconds,
                )
                actor.actor_steps, episodes, began = total, [], now


class EvaluatorRole:
    """Measures the newest policy each time the actors pass a point of the grid."""

    def __init__(self, run: Run, learner: Any, coordinator: Any):
        """Connects to nobody yet.

        Args:
            run: what runs.
            learner: Courier client that serves parameters.
            coordinator: Courier client.
        """
        self._run = run
        self._learner = learner
        self._coordinator = Remote(coordinator)
        self._told = 0.0

    @process.told()
    def run(self) -> None:
        """Evaluates on the grid, and once more when the learner has ended."""
        experiment = self._run.experiment
        process.set_role("evaluator", experiment.name)
        spec = spec_of(experiment)
        agent = make_agent(experiment, spec)
        try:
            names = network_names(agent, spec)
            with closing(Variables(self._learner, names)) as variables:
                if experiment.evaluation.lockstep:
                    lanes = experiment.actors * experiment.environments
                    self._accompany(Lockstep(experiment, agent, variables, lanes))
                else:
                    episodes = experiment.evaluation.episodes
                    self._evaluate(Evaluator(experiment, agent, episodes), variables)
        except Stopped:
            pass  # whatever was under way will be evaluated by a run that resumes
        finally:
            self._coordinator.close()
        process.leave()

    def _evaluate(self, evaluator: Evaluator, variables: Variables) -> None:
        for counts, point in self._polls():
            if point is not None:
                episodes = evaluator.evaluate(variables.fetch(), point, self._tick)
                self._coordinator.report_evaluation(point, counts, _plain(episodes))

    def _accompany(self, lockstep: Lockstep) -> None:
        """Follows the actors; where they outrun it, it plays less than they do."""
        lockstep.start(self._run.start.actor_steps)
        with closing(lockstep):
            for counts, point in self._polls():
                episodes = lockstep.follow(
                    counts.actor_steps, _FOLLOW_SECONDS, self._tick
                )
                if episodes:
                    self._coordinator.report_evaluated(_plain(episodes))
                if point is not None:
                    self._coordinator.report_evaluation(point, counts, [])

    def _polls(self) -> Iterator[tuple[Counts, int | None]]:
        """Now and then, how far the run is and which point of the grid is due."""
        steps = self._run.experiment.steps
        done = last_evaluated_step(self._run.directory, self._run.start.clock)
        grid = Grid(self._run.experiment.evaluation.period, steps, done)
        ended = False
        while not ended and not lp.wait_for_stop(REPORT_SECONDS):
            ended = not self._coordinator.learning()
            counts = Counts(*self._coordinator.counts())
            point = steps if ended else grid.passed(counts.clock)
            # The end of the budget is evaluated when its updates are done as well.
            yield counts, point if ended or point != steps else None
        if ended:
            self._coordinator.evaluator_ended()

    def _tick(self) -> None:
        """Shows the watchdog that the evaluation goes on; ends it with the program."""
        if lp.wait_for_stop(0):
            raise Stopped
        now = time.monotonic()
        if now - self._told > _TICK_SECONDS:
            self._told = now
            self._coordinator.moved("evaluator")


def _plain(episodes: Sequence[Episode]) -> list[tuple[float, int]]:
    """Episodes as they travel to the coordinator."""
    return [(episode.episode_return, episode.length) for episode in episodes]
