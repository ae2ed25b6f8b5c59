"""Evaluation: whole episodes of the current policy, in an environment of its own."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import environments
from agents.parts.types import Agent, Params
from launch import checkpoint, logs
from launch.actor import Actor, Episode, Loop
from launch.experiment import Experiment, make_agent, make_spec

# More lanes would only cost memory: the policy call is amortised long before.
MAX_LANES = 32


class Evaluator:
    """Plays a fixed number of episodes; raw returns, nothing stored.

    Every lane plays its own share of the episodes. Taking the first episodes to end
    instead would favour the short ones.
    """

    def __init__(self, experiment: Experiment, agent: Agent, episodes: int, index: int):
        """Builds an evaluator with environments of its own.

        Args:
            experiment: gives environment and seeds.
            agent: gives the policy.
            episodes: played at each call.
            index: evaluators with different indices draw different seeds.
        """
        lanes = min(episodes, MAX_LANES)
        environment_seed, seed = experiment.seeds("evaluator", index)
        self._shares = [len(range(lane, episodes, lanes)) for lane in range(lanes)]
        self._environment = environments.make(
            experiment.environment, lanes, environment_seed, evaluation=True
        )
        self._params: Params = {}
        self._actor = Actor(agent.act, lambda: self._params, seed, evaluation=True)
        self._loop = Loop(self._environment, self._actor)

    def evaluate(self, params: Params) -> Sequence[Episode]:
        """Episodes of the policy with these parameters, lane after lane."""
        self._params = params
        played: list[list[Episode]] = [[] for _ in self._shares]
        self._loop.reset()
        while any(
            len(done) < share for done, share in zip(played, self._shares, strict=True)
        ):
            for lane, episode in self._loop.step():
                if len(played[lane]) < self._shares[lane]:
                    played[lane].append(episode)
        return [episode for lane in played for episode in lane]

    def close(self) -> None:
        """Closes the environments."""
        self._environment.close()


def evaluate_run(directory: Path, episodes: int, seed: int) -> list[float]:
    """Returns of the policy that a run saved last.

    Args:
        directory: a run directory.
        episodes: how many to play.
        seed: of environments and policy, instead of the run's own.

    Raises:
        RunDirectoryError: no run, or a run without a saved policy.
    """
    experiment = dataclasses.replace(logs.read_experiment(directory), seed=seed)
    environment = environments.make(experiment.environment, 1, seed)
    agent = make_agent(experiment, make_spec(environment))
    environment.close()
    params = checkpoint.load_params(directory, agent)
    evaluator = Evaluator(experiment, agent, episodes, index=1)
    try:
        return [episode.episode_return for episode in evaluator.evaluate(params)]
    finally:
        evaluator.close()
