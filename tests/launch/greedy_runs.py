"""Runs of Catch whose actions depend on the parameters, and all that they leave."""

from launch.experiment import Evaluation
from tests.launch.interrupted_runs import catch, metrics, rows
from tests.launch.local_runs import parameters
from tests.launch.small_experiments import changed


def greedy(steps=420, **changes):
    """Catch whose actions depend on the parameters, with 3 or 4 updates in a turn."""
    settings = {
        "agent.network.hidden": (11,),
        "agent.exploration.initial": 0.1,
        "agent.storage.samples_per_insert": 40.0,
    }
    evaluation = Evaluation(period=150, episodes=3)
    experiment = catch(steps, environments=3, evaluation=evaluation)
    defaults = {"act_under_update": True, "updates_per_call": 2}
    return changed(experiment, settings | defaults | changes)


def result(directory):
    """Everything that a run has logged and learned."""
    learned = parameters(directory)
    logs = [rows(directory, name) for name in ("evaluations.csv", "metrics.csv")]
    flat = [leaf.tolist() for leaf in _leaves(learned)]
    return metrics(directory), logs, flat


def _leaves(tree):
    if isinstance(tree, dict):
        return [leaf for each in tree.values() for leaf in _leaves(each)]
    if isinstance(tree, list | tuple):
        return [leaf for each in tree for leaf in _leaves(each)]
    return [tree]
