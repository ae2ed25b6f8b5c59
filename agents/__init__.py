"""Agents by name: one line for each paper, or for a named limit of one.

A paper's module is imported when its recipe is used, so that a run imports its own
paper and no other.
"""

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from agents.parts.contract import Agent, Preparation, Spec, Stage


class Recipe(NamedTuple):
    """How an agent is made.

    A paper's module defines `Config`, a dataclass of hyper-parameters whose defaults
    are the paper's, and `agent(config, spec) -> Agent`. Where something is learned
    before that agent, the module defines `stages(config, spec) -> list[Stage]`, too.

    Attributes:
        module: name of the paper's module.
        variant: the constant of that module with the fields in which a named limit
            differs from the defaults; empty: in none.
        actions: which actions the agent is for.
        dataset: how to prepare the dataset of an agent that learns from nothing else;
            None: actors act, unless the experiment names a dataset.
    """

    module: str
    variant: str = ""
    actions: Literal["discrete", "continuous"] = "discrete"
    dataset: Preparation | None = None

    @property
    def config(self) -> type:
        """The dataclass of hyper-parameters."""
        return self._load().Config

    @property
    def settings(self) -> Mapping[str, Any]:
        """Fields in which the name differs from the defaults."""
        if not self.variant:
            return MappingProxyType({})
        return getattr(self._load(), self.variant)

    def default(self) -> Any:
        """The configuration that the name stands for."""
        return self.config(**self.settings)

    def agent(self, config: Any, spec: Spec) -> Agent:
        """The agent that acts.

        Raises:
            ValueError: it does not fit the environment.
        """
        return self._load().agent(config, spec)

    def stages(self, config: Any, spec: Spec) -> list[Stage]:
        """What a run learns, in order; the last stage is the agent that acts.

        Raises:
            ValueError: the agent does not fit the environment.
        """
        module = self._load()
        if hasattr(module, "stages"):
            return module.stages(config, spec)
        return [Stage(module.agent(config, spec))]

    def _load(self) -> Any:
        return importlib.import_module(self.module)


def _offline(module: str, variant: str = "", scale_rewards: bool = False) -> Recipe:
    preparation = Preparation(scale_rewards=scale_rewards)
    return Recipe(module, variant, "continuous", preparation)


REGISTRY: dict[str, Recipe] = {
    "dqn": Recipe("agents.dqn"),
    "mdqn": Recipe("agents.mdqn"),
    "soft_dqn": Recipe("agents.mdqn", "SOFT_DQN"),
    "advantage_learning": Recipe("agents.mdqn", "ADVANTAGE_LEARNING"),
    "iqn": Recipe("agents.iqn"),
    "miqn": Recipe("agents.miqn"),
    "deep_cpi": Recipe("agents.deep_cpi"),
    "momentum_dqn": Recipe("agents.momentum_dqn"),
    "md_direct": Recipe("agents.mirror_descent", "DIRECT"),
    "md_indirect": Recipe("agents.mirror_descent", "INDIRECT"),
    "dual_averaging": Recipe("agents.mirror_descent", "AVERAGING"),
    "dvw_dqn": Recipe("agents.variance_weighting", "DVW_DQN"),
    "dvw_mdqn": Recipe("agents.variance_weighting"),
    "iq": Recipe("agents.implicit_q", actions="continuous"),
    "sac": Recipe("agents.sac", actions="continuous"),
    "td3": Recipe("agents.td3", actions="continuous"),
    "bc": _offline("agents.bc"),
    "td3_bc": _offline("agents.td3_bc"),
    "anti_exploration": _offline("agents.anti_exploration.agent", scale_rewards=True),
    "anti_exploration_code": _offline(
        "agents.anti_exploration.agent", "RESEARCH_CODE", scale_rewards=True
    ),
    "ploff": _offline("agents.ploff.agent", scale_rewards=True),
}
