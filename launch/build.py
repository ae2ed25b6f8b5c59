"""Builds the parts of an experiment: its environment's spec, its stages, its agent."""

from typing import Any

import dm_env
import jax
import jax.numpy as jnp
import numpy as np

import agents
import environments
from agents import Recipe
from agents.parts.contract import (
    Agent,
    NetworkParams,
    Params,
    Spec,
    Stage,
    TrainingState,
)
from environments.vector import VectorEnvironment
from launch import staleness
from launch.experiment import Experiment

NORMALIZER = "normalizer"


def normalized(agent: Agent, spec: Spec) -> Agent:
    """The agent, with a policy that normalises its observations.

    The statistics are the parameters of one more network, `normalizer`. The update is
    unchanged: a prepared dataset is normalised already.

    Args:
        agent: any.
        spec: of the environment.
    """
    shape = (1, *spec.observation.shape)

    def init(key: Any) -> TrainingState:
        state = agent.init(key)
        identity = {"mean": jnp.zeros(shape), "deviation": jnp.ones(shape)}
        return state._replace(params={**state.params, NORMALIZER: identity})

    def act(
        params: Params, key: Any, observation: Any, actor_steps: Any, evaluation: Any
    ) -> Any:
        seen = _normalize(params[NORMALIZER], observation)
        return agent.act(params, key, seen, actor_steps, evaluation)

    return agent._replace(init=init, act=act)


def _normalize(statistics: NetworkParams, observation: Any) -> Any:
    return (observation - statistics["mean"]) / statistics["deviation"]


def make_spec(environment: dm_env.Environment) -> Spec:
    """Describes an environment, single or vectorised, to an agent."""
    observation, action = environment.observation_spec(), environment.action_spec()
    num_actions, references = 0, True
    if isinstance(action, dm_env.specs.DiscreteArray):
        num_actions = action.num_values
    elif np.issubdtype(action.dtype, np.integer):
        num_actions = int(np.max(action.maximum)) + 1  # tokens of a vocabulary
        largest = np.broadcast_to(observation.maximum, observation.shape)
        references = bool(np.any(largest[-action.shape[0] :]))  # padding is 0
    return Spec(
        observation=jax.ShapeDtypeStruct(observation.shape, observation.dtype),
        num_actions=num_actions,
        action=jax.ShapeDtypeStruct(action.shape, action.dtype),
        references=references,
    )


def make_extras_spec(agent: Agent, spec: Spec) -> Any:
    """Describes what is stored with one action: the extras that `act` returns with it.

    A queue also stores the version of the parameters, see `launch.staleness`.

    Computes nothing, and starts no JAX backend.

    Args:
        agent: whose `act` returns the extras.
        spec: of the environment.

    Returns:
        The pytree of extras with a `jax.ShapeDtypeStruct` for each leaf, without the
        axis `[N]`; the empty tuple if there are no leaves.

    Raises:
        ValueError: a leaf does not have one row for each environment.
    """
    lanes = 3

    def act(seed: Any, observation: Any) -> Any:
        key = jax.random.key(seed)
        params = agent.init(key).params
        return agent.act(params, key, observation, np.int32(0), np.bool_(False))[1]

    shape = (lanes, *spec.observation.shape)
    observation = jax.ShapeDtypeStruct(shape, spec.observation.dtype)
    extras = jax.eval_shape(act, np.uint32(0), observation)
    for leaf in jax.tree.leaves(extras):
        if leaf.shape[:1] != (lanes,):
            raise ValueError(
                f"extras of {lanes} environments must have {lanes} rows, got a leaf of "
                f"shape {list(leaf.shape)}: return leaves [N, ...] from act"
            )
    rows = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), extras
    )
    if agent.storage.order == "queue":
        return staleness.stored_extras(rows, staleness.spec_of_version())
    return rows if jax.tree.leaves(rows) else ()


def spec_of(experiment: Experiment) -> Spec:
    """The spec of the experiment's environment."""
    environment = environments.make(experiment.environment, 1, experiment.seed)
    try:
        return make_spec(environment)
    finally:
        environment.close()


def make_actor_environment(experiment: Experiment, start: int) -> VectorEnvironment:
    """The environments of a local run's actor, `start` actor steps into the run."""
    seed = experiment.seeds("actor", start=start)[0]
    return environments.make(experiment.environment, experiment.environments, seed)


def make_stages(experiment: Experiment, spec: Spec) -> list[Stage]:
    """The learning stages of a run, in order; the last one is the agent that acts.

    Raises:
        ValueError: the agent does not fit the environment.
    """
    recipe = agents.find(experiment.agent_name)
    _check_actions(experiment, recipe, spec)
    *before, last = recipe.stages(experiment.agent, spec)
    for stage in (*before, last):
        if not isinstance(stage.agent, Agent):
            raise ValueError(
                f"{experiment.agent_name} must build an agents.parts.contract.Agent, "
                f"got {type(stage.agent).__name__}: return it from agent(config, spec)"
            )
    if experiment.dataset or recipe.dataset is not None:
        last = last._replace(source="dataset")
    if experiment.dataset and experiment.preparation.normalize_observations:
        last = last._replace(agent=normalized(last.agent, spec))
    if last.source == "replay" and last.agent.storage.order == "queue":
        last = last._replace(agent=staleness.measured(last.agent))
    return [*before, last]


def _check_actions(experiment: Experiment, recipe: Recipe, spec: Spec) -> None:
    """Refuses an agent that takes the other kind of actions; names agents that fit."""
    kind = spec.kind
    if recipe.actions != kind:
        fitting = [
            name
            for name, each in agents.REGISTRY.items()
            if each.actions == kind and (each.dataset is None or experiment.dataset)
        ]
        name = getattr(experiment.environment, "id", "the environment")
        raise ValueError(
            f"{experiment.agent_name} must have an environment whose actions are "
            f"{recipe.actions}, but those of {name} are {kind}: choose one of "
            f"{', '.join(fitting)}"
        )


def make_agent(experiment: Experiment, spec: Spec) -> Agent:
    """The experiment's agent that acts.

    Raises:
        ValueError: the agent does not fit the environment.
    """
    return make_stages(experiment, spec)[-1].agent
