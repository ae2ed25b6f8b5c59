"""The named experiments: every agent on every task with its type of actions.

An experiment is built when it is first used; only then are its agent and its
environment imported.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import agents
from agents import Recipe
from agents.parts.contract import Preparation
from experiments import flags
from experiments.catalogue import user_agents
from experiments.catalogue.lazy import Lazy
from experiments.catalogue.tasks import TASKS, Task
from experiments.flags import OverrideError
from launch.experiment import Experiment
from launch.runs import serialization

# Agents that learn quantiles of the return, with the loss of their paper.
QUANTILE_AGENTS = ("iqn", "miqn")

# Agents that learn from a teacher, and begin with a student that was trained before.
STUDENT_AGENTS = ("gkd", "supervised_kd", "seq_kd")

# Agents that begin with supervised fine-tuning, and the networks that have its weights.
TUNED_AGENTS = {
    "warp": ("policy", "sft"),
    "bond": ("policy", "sft", "anchor"),
    "jbond": ("policy", "sft", "anchor"),
    "rlef": ("policy", "sft", "value"),
    "reward_model": ("reward", "sft"),
    "warm": ("policy", "sft"),
}

# Language agents whose evaluation has no temperature to set.
FIXED_EVALUATION = ("f_divergence", "f_distillation", "reward_model")

# Replaces the size of the decoder that learns, for a teacher.
# A larger network needs a smaller rate than the task's settings have.
TEACHER = {
    "network.width": 128,
    "network.layers": 4,
    "optimizer.learning_rate": 1e-3,
}

# Other agents whose paper fixes the loss.
FIXED_LOSS_AGENTS = ("dvw_dqn", "dvw_mdqn")


class Named(NamedTuple):
    """A named experiment, an agent on a task, that is not built yet.

    Attributes:
        name: of the experiment.
        agent_name: as `agents.find` takes it.
        task: environment, budget, and settings that replace the agent's defaults.
        settings: agent settings that replace the task's, by path.
        initial: where the first weights of networks come from, see `Experiment`.
    """

    name: str
    agent_name: str
    task: Task
    settings: Mapping[str, Any] = {}
    initial: Mapping[str, str] = {}

    @property
    def description(self) -> str:
        """One line for `munchausen list`."""
        recipe = agents.look_up(self.agent_name)
        needed = recipe.dataset is not None and not self.task.dataset
        said = self.task.description
        return f"{said}, from the dataset of --dataset" if needed else said

    def experiment(self) -> Experiment:
        """Builds the experiment; imports its agent and its environment.

        Raises:
            OverrideError: a user's agent cannot be used.
        """
        recipe, task = _recipe(self.agent_name), self.task
        acts = recipe.dataset is None and not task.dataset
        shared = {**task.settings, **_of_some_agents(self.agent_name, task)}
        default = recipe.default()
        if recipe.dataset is None:
            shared |= _by_actions(self.agent_name, recipe, task)
        if self.agent_name in FIXED_EVALUATION:
            shared.pop("evaluation_temperature", None)
        if self.agent_name not in agents.REGISTRY:
            # A task's settings are for our agents; a user's agent has its own fields.
            own = flags.fields(default)
            shared = {path: value for path, value in shared.items() if path in own}
        shared = _unless_chosen(shared, recipe)
        return Experiment(
            name=self.name,
            agent_name=self.agent_name,
            agent=flags.replace(default, {**shared, **self.settings}, "agent."),
            environment=task.environment.config(),
            steps=task.steps,
            evaluation=task.evaluation,
            environments=task.environments,
            act_under_update=task.act_under_update and acts,
            dataset=task.dataset,
            preparation=recipe.dataset or Preparation(),
            initial=self.initial,
            description=self.description,
        )


def _recipe(agent_name: str) -> Recipe:
    """The recipe of an agent whose configuration `config.yaml` can hold."""
    try:
        recipe = agents.find(agent_name)
    except agents.UnusableAgent as error:
        raise OverrideError(str(error)) from error
    if agent_name not in agents.REGISTRY:
        reason = serialization.obstacle(recipe.default())
        if reason:
            raise OverrideError(
                f"{recipe.module}.Config must consist of numbers, texts, tuples and "
                f"dataclasses, so that config.yaml can hold it: {reason}"
            )
    return recipe


def _unless_chosen(settings: Mapping[str, Any], recipe: Recipe) -> dict[str, Any]:
    """The settings of a task without those that the agent's variant chose."""
    plain, chosen = flags.fields(recipe.config()), flags.fields(recipe.default())
    # A variant's optimizer is one choice: its rates and epsilon belong together.
    whole = ("optimizer.",) if "optimizer" in recipe.settings else ()
    return {
        path: value
        for path, value in settings.items()
        if not path.startswith(whole) and plain.get(path) == chosen.get(path)
    }


def _of_some_agents(agent_name: str, task: Task) -> dict[str, Any]:
    """A task's settings for fields that only some agents have, by path.

    A user's field called `loss` may mean anything.
    """
    if agent_name not in agents.REGISTRY:
        return {}
    if agent_name in QUANTILE_AGENTS:
        names = ("online_fractions", "target_fractions") if task.fractions else ()
        return dict.fromkeys(names, task.fractions)
    chosen = task.loss and agent_name not in FIXED_LOSS_AGENTS
    return {"loss": task.loss} if chosen else {}


def _by_actions(agent_name: str, recipe: Recipe, task: Task) -> dict[str, Any]:
    """A task's settings for agents with one kind of actions, by path."""
    settings = dict(task.settings_by_actions.get(recipe.actions, {}))
    if agent_name == "iq" and "network.torso" in settings:
        settings["value_network.torso"] = settings["network.torso"]
    return settings


def misfit(name: str) -> str | None:
    """Explains why an agent and a task do not fit; None if either does not exist.

    Args:
        name: `<agent>/<task>`, as on the command line.
    """
    agent_name, _, task_name = name.partition("/")
    if task_name not in TASKS:
        return None
    recipes = {**agents.REGISTRY, **_recipes_of_users()}
    if agent_name not in recipes:
        return user_agents.installed().problems.get(agent_name)
    recipe, wanted = recipes[agent_name], TASKS[task_name].actions
    fitting = [other for other in recipes if _fit(recipes[other], TASKS[task_name])]
    tasks = [other for other in TASKS if _fit(recipe, TASKS[other])]
    has = "discrete or continuous" if wanted == "any" else wanted
    return (
        f"{agent_name} takes actions that are {recipe.actions}, but those of "
        f"{task_name} are {has}; agents for {task_name}: {', '.join(fitting)}; tasks "
        f"for {agent_name}: {', '.join(tasks)}"
    )


def _recipes_of_users() -> dict[str, Recipe]:
    return {name: one.recipe for name, one in user_agents.known().items()}


def _fit(recipe: Recipe, task: Task) -> bool:
    """Whether an agent and a task form an experiment.

    An agent that learns from a dataset also fits tasks without one: `--dataset` then
    names it.
    """
    return task.may_take(recipe.actions)


class _OfUsers(Mapping[str, Named]):
    """Every agent of a user on every fitting task; nothing is imported before."""

    def __getitem__(self, name: str) -> Named:
        if name not in self:
            raise KeyError(name)
        agent_name, _, task_name = name.partition("/")
        full = user_agents.known()[agent_name].agent_name
        return Named(name, full, TASKS[task_name])

    def __contains__(self, name: object) -> bool:
        agent_name, _, task_name = str(name).partition("/")
        if agent_name in agents.REGISTRY or task_name not in TASKS:
            return False
        found = user_agents.known().get(agent_name)
        return found is not None and _fit(found.recipe, TASKS[task_name])

    def __iter__(self) -> Iterator[str]:
        for agent_name, one in user_agents.known().items():
            for task_name, task in TASKS.items():
                if _fit(one.recipe, task):
                    yield f"{agent_name}/{task_name}"

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _Built(Mapping[str, Experiment]):
    """The experiment of each name of a mapping, built at each access."""

    def __init__(self, named: Mapping[str, Named]):
        self._named = named

    def __getitem__(self, name: str) -> Experiment:
        return self._named[name].experiment()

    def __contains__(self, name: object) -> bool:
        return name in self._named

    def __iter__(self) -> Iterator[str]:
        return iter(self._named)

    def __len__(self) -> int:
        return len(self._named)


def _first_weights(agent_name: str, task_name: str) -> dict[str, str]:
    """The experiments that give an agent's networks their first weights."""
    if agent_name == "f_distillation":  # a teacher that was trained with the same loss
        return {"teacher": f"f_divergence/{task_name}-teacher"}
    if agent_name in TUNED_AGENTS:
        tuned = dict.fromkeys(TUNED_AGENTS[agent_name], f"sft/{task_name}")
        learned = {"reward": f"reward_model/{task_name}"}
        return tuned | learned if agent_name == "warm" else tuned
    if agent_name not in STUDENT_AGENTS:
        return {}
    return {"teacher": f"sft/{task_name}-teacher", "policy": f"sft/{task_name}"}


# Every agent of ours on every fitting task.
NAMED: dict[str, Named] = {
    f"{agent_name}/{task_name}": Named(
        f"{agent_name}/{task_name}",
        agent_name,
        task,
        initial=_first_weights(agent_name, task_name),
    )
    for agent_name, recipe in agents.REGISTRY.items()
    for task_name, task in TASKS.items()
    if _fit(recipe, task)
}

NAMED |= {
    f"{agent_name}/{task_name}-teacher": Named(
        f"{agent_name}/{task_name}-teacher", agent_name, task, TEACHER
    )
    for agent_name in ("sft", "f_divergence")
    for task_name, task in TASKS.items()
    if task.actions == "tokens"
}

OF_USERS: Mapping[str, Named] = _OfUsers()

EXPERIMENTS: Mapping[str, Experiment] = Lazy(
    {name: named.experiment for name, named in NAMED.items()}
)

EXPERIMENTS_OF_USERS: Mapping[str, Experiment] = _Built(OF_USERS)
