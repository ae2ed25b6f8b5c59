"""Small registered agents, and the specs and batches of `agents.parts.trial`."""

import dataclasses
import functools

import jax

from agents import REGISTRY
from agents.anti_exploration import autoencoder
from agents.parts import networks, sgd, trial
from agents.parts.trial import (
    ACTIONS,
    BATCH,
    BOX,
    COMPLETIONS,
    ENVIRONMENTS,
    IMAGES,
    VECTORS,
    actions,
    batch_for,
    batch_of,
    compile_agent,
    leaves_equal,
    observations,
)

__all__ = [
    "ACTIONS",
    "BATCH",
    "BOX",
    "COMPLETIONS",
    "ENVIRONMENTS",
    "FAST",
    "IMAGES",
    "VECTORS",
    "actions",
    "batch_for",
    "batch_of",
    "compile_agent",
    "compiled",
    "leaves_equal",
    "make",
    "observations",
    "small",
    "specs",
    "with_head",
]

FAST = sgd.Optimizer(learning_rate=1e-3)
# Smaller than the papers', so that tests are quick.
FEW = {
    "online_fractions": 6,
    "target_fractions": 8,
    "acting_fractions": 9,
    "policy_fractions": 9,
    "cosines": 4,
    "value_network": networks.Config("mlp", (13,), layer_norm=True),
    "autoencoder": autoencoder.Config(hidden=(17,)),
    "embedding_size": 4,
    "neighbours": 6,
}


def specs(name):
    """Specs to test a registered agent on; the first has vectors as observations."""
    kinds = {
        "continuous": [BOX],
        "discrete": [VECTORS, IMAGES],
        "tokens": [COMPLETIONS],
    }
    return kinds[REGISTRY[name].actions]


def make(name, spec=None, **settings):
    """A registered agent with a small network; `settings` are fields of its config."""
    spec = spec or specs(name)[0]
    return REGISTRY[name].agent(small(name, spec, **settings), spec)


@functools.cache
def compiled(name, spec):
    """The registered agent, with a small network and a learning rate of 0.001."""
    return compile_agent(make(name, spec, optimizer=FAST))


def small(name, spec, **settings):
    """The configuration of a registered agent, with small networks."""
    config = trial.small(REGISTRY[name].default(), spec)
    known = {field.name for field in dataclasses.fields(config)}
    few = {name: value for name, value in FEW.items() if name in known}
    return dataclasses.replace(config, **{**few, **settings})


def with_head(params, change):
    """Parameters of a network whose last layer's leaves are changed."""
    head = jax.tree.map(change, params["params"]["Dense_0"])
    return {"params": {**params["params"], "Dense_0": head}}
