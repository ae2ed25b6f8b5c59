"""The named experiments: every agent on every task whose actions it takes."""

from collections.abc import Mapping
from typing import Any

import agents
from agents import Recipe
from agents.parts.contract import Preparation
from experiments import flags
from experiments.catalogue.tasks import TASKS, Task
from launch.experiment import Experiment

# Settings of no concern to agents that have no such field.
SOME_HAVE = ("loss", "online_fractions", "target_fractions")


def experiment(
    name: str, agent_name: str, task: Task, settings: Mapping[str, Any]
) -> Experiment:
    """An agent on a task.

    Args:
        name: of the experiment.
        agent_name: key of `agents.REGISTRY`.
        task: where the agent departs from its defaults.
        settings: where it departs from the task's settings, by path.
    """
    recipe = agents.REGISTRY[agent_name]
    config = recipe.default()
    wanted = {
        path: value
        for path, value in task.settings.items()
        if path not in SOME_HAVE or hasattr(config, path)
    }
    return Experiment(
        name=name,
        agent_name=agent_name,
        agent=flags.replace(config, {**wanted, **settings}, "agent."),
        environment=task.environment,
        steps=task.steps,
        evaluation=task.evaluation,
        environments=task.environments,
        dataset=task.dataset,
        preparation=recipe.dataset or Preparation(),
        description=_description(recipe, task),
    )


def _description(recipe: Recipe, task: Task) -> str:
    needed = recipe.dataset is not None and not task.dataset
    return (
        f"{task.description}, from what --dataset names" if needed else task.description
    )


def misfit(name: str) -> str | None:
    """Why an agent and a task that both exist are no experiment; None if one does not.

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
        f"{agent_name} takes {recipe.actions} actions, those of {task_name} are "
        f"{wanted}; for {task_name}: {', '.join(fitting)}; for {agent_name}: "
        f"{', '.join(tasks)}"
    )


def _fit(recipe: Recipe, task: Task) -> bool:
    """Whether an agent and a task are an experiment.

    An agent that learns from a dataset takes tasks without one, too: `--dataset` names
    it then.
    """
    return recipe.actions == task.actions


EXPERIMENTS: dict[str, Experiment] = {
    f"{agent_name}/{task_name}": experiment(
        f"{agent_name}/{task_name}", agent_name, TASKS[task_name], {}
    )
    for agent_name, recipe in agents.REGISTRY.items()
    for task_name in TASKS
    if _fit(recipe, TASKS[task_name])
}
