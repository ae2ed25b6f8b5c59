"""Small experiments of agents and environments alone; nothing of a catalogue is read.

They have the settings of `experiments.catalogue`; `tests/whole_runs` makes sure.
"""

import dataclasses

import agents
from agents.parts.contract import Preparation
from environments import Catch, Locomotion
from launch.experiment import Evaluation, Experiment

CATCH = {
    "network.torso": "mlp",
    "network.hidden": (64,),
    "optimizer.learning_rate": 1e-3,
    "optimizer.epsilon": 0.01 / 32,
    "target_update_period": 25,
    "exploration.initial": 1.0,
    "exploration.final": 0.1,
    "exploration.start": 0,
    "exploration.decay_steps": 6_000,
    "exploration.evaluation": 0.0,
    "storage.capacity": 10_000,
    "storage.min_size": 100,
    "storage.batch_size": 32,
    "storage.samples_per_insert": 32.0,
}
SMALL_CATCH = {
    "steps": 300,
    "log_period": 100,
    "evaluation.period": 100,
    "evaluation.episodes": 20,
    "agent.network.hidden": (16,),
}
SMALL_PENDULUM = {
    "steps": 90,
    "evaluation.period": 30,
    "evaluation.episodes": 2,
    "checkpoint.period": 45,
    "log_period": 15,
    "agent.batch_size": 7,
    "agent.storage.batch_size": 7,
    "agent.network.hidden": (13,),
    "agent.autoencoder.hidden": (11,),
    "agent.autoencoder.batch_size": 5,
    "agent.embedding_size": 3,
    "agent.neighbours": 4,
    "agent.pretraining_steps": 40,
}
OFFLINE = [name for name, recipe in agents.REGISTRY.items() if recipe.dataset]
STAGED = ["anti_exploration", "anti_exploration_code", "ploff"]
OFFLINE.remove("anti_exploration_code")  # other settings of one of them


def changed(value, settings):
    """A copy of a dataclass; `settings` are new values by dotted paths."""
    direct, nested = {}, {}
    for path, new in settings.items():
        name, _, rest = path.partition(".")
        if rest:
            nested.setdefault(name, {})[rest] = new
        else:
            direct[name] = new
    for name, inner in nested.items():
        direct[name] = changed(getattr(value, name), inner)
    return dataclasses.replace(value, **direct)


def catch(name="mdqn/catch"):
    """DQN or M-DQN on Catch, of 20,000 steps."""
    agent_name = name.partition("/")[0]
    return Experiment(
        name=name,
        agent_name=agent_name,
        agent=changed(agents.REGISTRY[agent_name].default(), CATCH),
        environment=Catch(),
        steps=20_000,
        evaluation=Evaluation(period=2_000, episodes=10),
    )


def small_catch(settings=None, name="mdqn/catch"):
    """The same, of 300 steps; takes settings by their paths."""
    return changed(catch(name), SMALL_CATCH | (settings or {}))


def pendulum(agent_name, dataset, **changes):
    """An agent that learns from a dataset of an inverted pendulum; quick.

    Settings that this agent does not have are left out.
    """
    recipe = agents.REGISTRY[agent_name]
    base = Experiment(
        name=f"{agent_name}/hopper-medium",
        agent_name=agent_name,
        agent=recipe.default(),
        environment=Locomotion("InvertedPendulum-v5"),
        steps=1_000_000,
        evaluation=Evaluation(period=5_000, episodes=10),
        dataset=dataset,
        preparation=recipe.dataset or Preparation(),
    )
    wanted = SMALL_PENDULUM | changes
    return changed(base, {path: new for path, new in wanted.items() if has(base, path)})


def has(value, path):
    """Whether a dataclass has the field at a dotted path."""
    for name in path.split("."):
        if not hasattr(value, name):
            return False
        value = getattr(value, name)
    return True
