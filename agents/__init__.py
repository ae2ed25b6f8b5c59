"""Agents by name: one line for each paper."""

from collections.abc import Callable
from typing import Any, NamedTuple

from agents import dqn, mdqn
from agents.parts.types import Agent, Spec


class Recipe(NamedTuple):
    """How an agent is made.

    Attributes:
        config: dataclass of hyper-parameters; its defaults are the paper's.
        agent: `(config, spec) -> Agent`.
    """

    config: type
    agent: Callable[[Any, Spec], Agent]


REGISTRY: dict[str, Recipe] = {
    "dqn": Recipe(dqn.Config, dqn.agent),
    "mdqn": Recipe(mdqn.Config, mdqn.agent),
}
