"""Loads the policy that a run learned."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from agents.parts.contract import Agent, Params
from launch.build import make_agent, spec_of
from launch.errors import RunDirectoryError
from launch.experiment import Experiment
from launch.policies import policy_file, zoo
from launch.roles.actor import Actor
from launch.runs import checkpoint, run_directory


def load_policy(directory: str | Path, seed: int = 0) -> Callable[[Any], np.ndarray]:
    """Loads a run's policy: `observation [N, ...] -> action [N, ...]`, as evaluated.

    Observations and actions are those of `environments.make` with the run's
    environment: continuous actions `[N, D]` are from -1 to 1, whatever the bounds of
    the environment itself are, and discrete actions `[N]` count from 0.

    Args:
        directory: a run directory, or a policy of the zoo such as `zoo/mdqn-catch`.
        seed: of the policy's randomness in evaluation, if it has any.

    Raises:
        RunDirectoryError: not a run, or a run without a checkpoint.

    The policy raises ValueError if observations have another shape.
    """
    experiment, agent, params = load(zoo.find(Path(directory).expanduser()))
    actor = Actor(agent.act, lambda: params, seed, evaluation=True)
    shape = spec_of(experiment).observation.shape

    def policy(observation: Any) -> np.ndarray:
        found = np.asarray(observation)
        if found.shape[1:] != shape or not len(found):
            wanted = ", ".join(["N", *map(str, shape)])
            raise ValueError(
                f"observations must be a batch [{wanted}] with N of at least 1, got "
                f"{[*found.shape]}"
            )
        return actor.select_action(found)

    return policy


def load(directory: Path, steps: int | None = None) -> tuple[Experiment, Agent, Params]:
    """Loads a run's experiment, its agent, and parameters that it saved.

    Args:
        directory: a run directory, or a policy of the zoo.
        steps: which kept checkpoint to load; None: the newest.

    Raises:
        RunDirectoryError: not a run, or a run that has not saved anything learned, or
            whose environment cannot run on this machine.
    """
    experiment = run_directory.read_experiment(directory)
    policy = directory / zoo.POLICY
    if policy.is_file():
        agent = make_agent(experiment, spec_of(experiment))
        expected = jax.eval_shape(agent.init, jax.random.key(0)).params
        return experiment, agent, policy_file.load(policy, expected)
    if steps is None:
        saved = checkpoint.newest(directory, replay=False)
    else:
        saved = checkpoint.at(directory, steps, replay=False)
    if not saved.counts.clock:  # offline, at the start and while a first stage learns
        raise RunDirectoryError(
            f"{directory} has not learned a policy yet: continue it with `munchausen "
            f"train --resume {directory}`"
        )
    try:
        agent = make_agent(experiment, spec_of(experiment))
    except ValueError as error:  # a library of the environment is missing
        reason = " ".join(str(error).split())
        raise RunDirectoryError(f"cannot play {directory}: {reason}") from error
    return experiment, agent, checkpoint.load_state(saved, agent).params
