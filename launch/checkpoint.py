"""The policy that a run leaves behind: its newest parameters, through orbax."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

import environments
from agents.parts.types import Agent, Params
from launch import logs
from launch.actor import Actor
from launch.experiment import make_agent, make_spec

DIRECTORY = "checkpoints"
KEPT = 2  # the newest, and the one before it in case the newest is damaged


class PolicySaver:
    """Writes parameters to `<run>/checkpoints/<actor steps>/`, atomically."""

    def __init__(self, directory: Path):
        """Prepares the directory of a run."""
        # Imported here: orbax takes a second that nobody need wait for at the start.
        import orbax.checkpoint as ocp

        self._save_args = ocp.args.StandardSave
        self._manager = ocp.CheckpointManager(
            (directory / DIRECTORY).absolute(),
            options=ocp.CheckpointManagerOptions(max_to_keep=KEPT),
        )

    def save(self, actor_steps: int, params: Params) -> None:
        """Saves the parameters of all networks under a step; returns when written."""
        plain = jax.tree.map(np.asarray, params)
        self._manager.save(actor_steps, args=self._save_args(plain), force=True)
        self._manager.wait_until_finished()

    def close(self) -> None:
        """Waits for what is being written."""
        self._manager.close()


def load_params(directory: Path, agent: Agent) -> Params:
    """The newest parameters that a run saved.

    Args:
        directory: a run directory.
        agent: of the run's experiment; gives the shapes to expect.

    Raises:
        RunDirectoryError: nothing was saved there, or it does not fit the agent.
    """
    import orbax.checkpoint as ocp

    path = (directory / DIRECTORY).absolute()
    if not path.is_dir():
        raise logs.RunDirectoryError(f"{directory} holds no saved policy yet")
    expected = jax.eval_shape(agent.init, jax.random.key(0)).params
    with ocp.CheckpointManager(path) as manager:
        step = manager.latest_step()
        if step is None:
            raise logs.RunDirectoryError(f"{directory} holds no saved policy yet")
        try:
            return manager.restore(step, args=ocp.args.StandardRestore(expected))
        except (ValueError, KeyError, FileNotFoundError) as error:
            reason = " ".join(str(error).split())[:200]
            raise logs.RunDirectoryError(
                f"cannot read {path / str(step)}: {reason}"
            ) from error


def load_policy(directory: Path, seed: int = 0) -> Callable[[Any], np.ndarray]:
    """The policy of a run: `observation [N, ...] -> action [N]`, as in evaluation.

    Args:
        directory: a run directory.
        seed: of whatever randomness the policy has in evaluation.

    Raises:
        RunDirectoryError: no run, or a run without a saved policy.
    """
    experiment = logs.read_experiment(directory)
    environment = environments.make(experiment.environment, 1, seed)
    agent = make_agent(experiment, make_spec(environment))
    environment.close()
    params = load_params(Path(directory), agent)
    actor = Actor(agent.act, lambda: params, seed, evaluation=True)
    return actor.select_action
