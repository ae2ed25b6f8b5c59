"""The registry of agents: one entry for each paper and each named limit of a paper.

A paper's module is imported when its recipe is used, so that a run imports only its
paper.
"""

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from agents.parts.contract import Agent, Preparation, Spec, Stage


class Recipe(NamedTuple):
    """How to build an agent.

    A paper's module defines `Config`, a dataclass of hyper-parameters whose defaults
    are the paper's, and `agent(config, spec) -> Agent`. If other stages learn before
    that agent, the module also defines `stages(config, spec) -> list[Stage]`.

    Attributes:
        module: name of the paper's module.
        variant: name of the module's constant with the fields in which a named limit
            differs from the defaults; empty: it has the defaults.
        actions: kind of actions that the agent supports.
        dataset: how to prepare the dataset of an agent that learns only from datasets;
            None: actors collect experience, unless the experiment names a dataset.
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
        """Fields in which this agent differs from the defaults of `config`."""
        if not self.variant:
            return MappingProxyType({})
        return getattr(self._load(), self.variant)

    def default(self) -> Any:
        """Builds the default configuration of this agent."""
        return self.config(**self.settings)

    def agent(self, config: Any, spec: Spec) -> Agent:
        """Builds the agent that acts.

        Raises:
            ValueError: the agent does not fit the environment.
        """
        return self._load().agent(config, spec)

    def stages(self, config: Any, spec: Spec) -> list[Stage]:
        """Builds the stages of a run, in order; the last one is the agent that acts.

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
    "dqn_rmsprop": Recipe("agents.dqn", "RMSPROP"),
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
    "td3_2018": Recipe("agents.td3", "ORIGINAL", actions="continuous"),
    "bc": _offline("agents.bc"),
    "td3_bc": _offline("agents.td3_bc"),
    "anti_exploration": _offline("agents.anti_exploration.agent", scale_rewards=True),
    "anti_exploration_code": _offline(
        "agents.anti_exploration.agent", "RESEARCH_CODE", scale_rewards=True
    ),
    "ploff": _offline("agents.ploff.agent", scale_rewards=True),
}
