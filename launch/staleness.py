"""How old the transitions of a queue are, in learner steps.

The machinery stores with each transition the learner step of the parameters that chose
its action, and removes it before the agent's update, which never sees it.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from agents.parts.contract import Agent, Metrics, TrainingState, Transition


def stored_extras(extras: Any, version: Any) -> dict[str, Any]:
    """What is stored of one action, or the spec of it.

    Args:
        extras: of the agent.
        version: the learner step, or its spec.
    """
    return {"agent": extras, "version": version}


def spec_of_version() -> jax.ShapeDtypeStruct:
    """The spec of a version."""
    return jax.ShapeDtypeStruct((), np.dtype(np.int32))


def measured(agent: Agent) -> Agent:
    """The agent, with an update that reports the age of its transitions.

    The metrics `staleness_mean` and `staleness_max` are learner steps between the
    parameters that chose the actions and those that the update improves.
    """

    def update(
        state: TrainingState, batch: Transition
    ) -> tuple[TrainingState, Metrics]:
        age = state.steps - batch.extras["version"]
        batch = batch._replace(extras=batch.extras["agent"])
        updated, metrics = agent.update(state, batch)
        ages = {
            "staleness_mean": jnp.mean(age.astype(jnp.float32)),
            "staleness_max": jnp.max(age).astype(jnp.float32),
        }
        return updated, {**metrics, **ages}

    return agent._replace(update=update)
