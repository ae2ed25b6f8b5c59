"""Agents by name: one line for each paper."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from agents import dqn, implicit_q, mdqn, sac, td3
from agents.parts.types import Agent, Spec


class Recipe(NamedTuple):
    """How an agent is made.

    Attributes:
        config: dataclass of hyper-parameters; its defaults are the paper's.
        agent: `(config, spec) -> Agent`.
        actions: which actions the agent is for.
    """

    config: type
    agent: Callable[[Any, Spec], Agent]
    actions: Literal["discrete", "continuous"] = "discrete"


REGISTRY: dict[str, Recipe] = {
    "dqn": Recipe(dqn.Config, dqn.agent),
    "mdqn": Recipe(mdqn.Config, mdqn.agent),
    "iq": Recipe(implicit_q.Config, implicit_q.agent, actions="continuous"),
    "sac": Recipe(sac.Config, sac.agent, actions="continuous"),
    "td3": Recipe(td3.Config, td3.agent, actions="continuous"),
}
