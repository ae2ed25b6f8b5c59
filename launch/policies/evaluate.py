"""Plays episodes with the policy that a run saved."""

import dataclasses
from pathlib import Path

from launch.policies import saved_policy, zoo
from launch.roles.evaluator import Evaluator
from launch.runs.logs import Evaluated


def evaluate_run(directory: str | Path, episodes: int, seed: int) -> Evaluated:
    """Plays the policy that a run saved last.

    Args:
        directory: a run directory, or a policy of the zoo such as `zoo/mdqn-catch`.
        episodes: how many to play.
        seed: of environments and policy, instead of the run's own.

    Returns:
        The episodes, the samples of a language task, and the measures; `returns` is the
        list of the episodes' returns.

    Raises:
        RunDirectoryError: not a run, or a run without a checkpoint.
    """
    experiment, agent, params = saved_policy.load(
        zoo.find(Path(directory).expanduser())
    )
    evaluator = Evaluator(dataclasses.replace(experiment, seed=seed), agent, episodes)
    # Not a point of the run's own grid: even with the run's seed, episodes are new.
    return evaluator.evaluate(params, point=experiment.steps + 1)
