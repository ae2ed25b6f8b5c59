"""The named experiments: every agent on every task with its type of actions.

An experiment is built when it is first used; only then are its agent and its
environment imported.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import agents
from agents import Recipe
from agents.parts.contract import Preparation
from experiments import flags
from experiments.catalogue.lazy import Lazy
from experiments.catalogue.tasks import TASKS, Task
from launch.experiment import Experiment

# Agents that learn quantiles of the return, with the loss of their paper.
QUANTILE_AGENTS = ("iqn", "miqn")

# Other agents whose paper fixes the loss.
FIXED_LOSS_AGENTS = ("dvw_dqn", "dvw_mdqn")


class Named(NamedTuple):
    """A named experiment, an agent on a task, that is not built yet.

    Attributes:
        name: of the experiment.
        agent_name: key of `agents.REGISTRY`.
        task: environment, budget, and settings that replace the agent's defaults.
        settings: agent settings that replace the task's, by path.
    """

    name: str
    agent_name: str
    task: Task
    settings: Mapping[str, Any] = {}

    @property
    def description(self) -> str:
        """One line for `munchausen list`."""
        recipe = agents.REGISTRY[self.agent_name]
        needed = recipe.dataset is not None and not self.task.dataset
        said = self.task.description
        return f"{said}, from the dataset of --dataset" if needed else said

    def experiment(self) -> Experiment:
        """Builds the experiment; imports its agent and its environment."""
        recipe, task = agents.REGISTRY[self.agent_name], self.task
        shared = {**task.settings, **_of_some_agents(self.agent_name, task)}
        if recipe.dataset is None:
            shared |= _by_actions(self.agent_name, task)
        wanted = {**shared, **self.settings}
        return Experiment(
            name=self.name,
            agent_name=self.agent_name,
            agent=flags.replace(recipe.default(), wanted, "agent."),
            environment=task.environment.config(),
            steps=task.steps,
            evaluation=task.evaluation,
            environments=task.environments,
            dataset=task.dataset,
            preparation=recipe.dataset or Preparation(),
            description=self.description,
        )


def _of_some_agents(agent_name: str, task: Task) -> dict[str, Any]:
    """A task's settings for fields that only some agents have, by path."""
    if agent_name in QUANTILE_AGENTS:
        names = ("online_fractions", "target_fractions") if task.fractions else ()
        return dict.fromkeys(names, task.fractions)
    chosen = task.loss and agent_name not in FIXED_LOSS_AGENTS
    return {"loss": task.loss} if chosen else {}


def _by_actions(agent_name: str, task: Task) -> dict[str, Any]:
    """A task's settings for agents with one kind of actions, by path."""
    kind = agents.REGISTRY[agent_name].actions
    settings = dict(task.settings_by_actions.get(kind, {}))
    if agent_name == "iq" and "network.torso" in settings:
        settings["value_network.torso"] = settings["network.torso"]
    return settings


def misfit(name: str) -> str | None:
    """Explains why an agent and a task do not fit; None if either does not exist.

    Args:
        name: `<agent>/<task>`, as on the command line.
    """
    agent_name, _, task_name = name.partition("/")
    if agent_name not in agents.REGISTRY or task_name not in TASKS:
        return None
    recipe, wanted = agents.REGISTRY[agent_name], TASKS[task_name].actions
    fitting = [
        other for other, each in agents.REGISTRY.items() if _fit(each, TASKS[task_name])
    ]
    tasks = [other for other in TASKS if _fit(recipe, TASKS[other])]
    return (
        f"{agent_name} takes {recipe.actions} actions, but {task_name} has {wanted} "
        f"ones; agents for {task_name}: {', '.join(fitting)}; tasks for {agent_name}: "
        f"{', '.join(tasks)}"
    )


def _fit(recipe: Recipe, task: Task) -> bool:
    """Whether an agent and a task form an experiment.

    An agent that learns from a dataset also fits tasks without one: `--dataset` then
    names it.
    """
    return task.actions in ("any", recipe.actions)


NAMED: dict[str, Named] = {
    f"{agent_name}/{task_name}": Named(f"{agent_name}/{task_name}", agent_name, task)
    for agent_name, recipe in agents.REGISTRY.items()
    for task_name, task in TASKS.items()
    if _fit(recipe, task)
}

EXPERIMENTS: Mapping[str, Experiment] = Lazy(
    {name: named.experiment for name, named in NAMED.items()}
)
