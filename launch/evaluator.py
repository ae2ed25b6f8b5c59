"""Evaluation: whole episodes of the current policy, in an environment of its own."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import environments
from agents.parts.types import Agent, Params
from launch import policy
from launch.actor import Actor, Episode, Loop
from launch.experiment import Experiment

# More lanes would only cost memory: the policy call is amortised long before.
MAX_LANES = 32


class Evaluator:
    """Plays a fixed number of episodes; raw returns, nothing stored.

    Every lane plays its own share of the episodes. Taking the first episodes to end
    instead would favour the short ones. Each evaluation draws seeds of its own, so that
    it does not depend on those before it.
    """

    def __init__(self, experiment: Experiment, agent: Agent, episodes: int):
        """Builds an evaluator.

        Args:
            experiment: gives environment and seeds.
            agent: gives the policy.
            episodes: played at each call.
        """
        lanes = min(episodes, MAX_LANES)
        self._experiment = experiment
        self._shares = [len(range(lane, episodes, lanes)) for lane in range(lanes)]
        self._params: Params = {}
        self._actor = Actor(agent.act, lambda: self._params, seed=0, evaluation=True)

    def evaluate(
        self, params: Params, point: int, tick: Callable[[], None] = lambda: None
    ) -> Sequence[Episode]:
        """Plays the episodes with these parameters.

        Args:
            params: of all networks.
            point: actor steps of the run; evaluations at other points draw other seeds.
            tick: called at every step, to show that it moves.

        Returns:
            The episodes, lane after lane.
        """
        self._params = params
        environment_seed, seed = self._experiment.seeds("evaluator", start=point)
        environment = environments.make(
            self._experiment.environment,
            len(self._shares),
            environment_seed,
            evaluation=True,
        )
        try:
            self._actor.reseed(seed, actor_steps=point)
            return self._play(Loop(environment, self._actor, point), tick)
        finally:
            environment.close()

    def _play(self, loop: Loop, tick: Callable[[], None]) -> Sequence[Episode]:
        played: list[list[Episode]] = [[] for _ in self._shares]
        while any(
            len(done) < share for done, share in zip(played, self._shares, strict=True)
        ):
            tick()
            for lane, episode in loop.step():
                if len(played[lane]) < self._shares[lane]:
                    played[lane].append(episode)
        return [episode for lane in played for episode in lane]


def evaluate_run(directory: Path, episodes: int, seed: int) -> list[float]:
    """Returns of the policy that a run saved last.

    Args:
        directory: a run directory.
        episodes: how many to play.
        seed: of environments and policy, instead of the run's own.

    Raises:
        RunDirectoryError: no run, or a run without a checkpoint.
    """
    experiment, agent, params = policy.load(directory)
    evaluator = Evaluator(dataclasses.replace(experiment, seed=seed), agent, episodes)
    # Not a point of the run's own grid: with the run's seed, the episodes are new.
    played = evaluator.evaluate(params, point=experiment.steps + 1)
    return [episode.episode_return for episode in played]
