"""Small runs whose policies or reward models can be merged."""

import dataclasses

from agents import REGISTRY
from environments import Preferences
from launch.policies import merge
from launch.policies.merge import Request
from launch.runs import initial_weights
from tests.launch.language_runs import SMALL, sums
from tests.launch.local_runs import run_new
from tests.launch.small_experiments import changed


def golden(**changes):
    """A run on `preferences`, where hardly two completions have the same reward."""
    task = Preferences(symbols=12, completion_columns=5)
    return sums(**{"name": "sft/preferences", "environment": task, **changes})


def reward_model(folder, sft, seed):
    """A run that learned a reward, and began with a supervised policy."""
    first = {"reward": str(sft), "sft": str(sft)}
    model = golden(
        name="reward_model/preferences",
        agent_name="reward_model",
        agent=changed(REGISTRY["reward_model"].default(), SMALL),
        seed=seed,
    )
    origins = tuple(initial_weights.origin(network, sft, "policy") for network in first)
    return run_new(folder, dataclasses.replace(model, initial=first, origins=origins))


def written(directory, *sources, **settings):
    """Merges and writes a checkpoint; returns its directory."""
    request = Request(sources, **settings)
    merge.save(request, merge.merge(request), directory)
    return directory
