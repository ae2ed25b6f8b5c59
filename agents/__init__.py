"""Agents by name: one line for each paper, or for a named limit of one."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from agents import (
    bc,
    deep_cpi,
    dqn,
    implicit_q,
    iqn,
    mdqn,
    miqn,
    mirror_descent,
    momentum_dqn,
    sac,
    td3,
    td3_bc,
    variance_weighting,
)
from agents.anti_exploration import agent as anti_exploration
from agents.parts.contract import Agent, Spec
from agents.ploff import agent as ploff
from agents.ploff import metric


class Recipe(NamedTuple):
    """How an agent is made.

    Attributes:
        config: dataclass of hyper-parameters; its defaults are the paper's.
        agent: `(config, spec) -> Agent`.
        settings: fields in which a named variant differs from those defaults.
        actions: which actions the agent is for.
        offline: whether it learns from a dataset only; every agent for continuous
            actions can.
        pretraining: `(config, spec) -> Agent` of a stage that comes first, for
            `config.pretraining_steps` learner steps. It never acts; its networks take
            the place of the agent's of the same names.
        preparation: how a dataset is to be prepared, where the agent departs from
            the defaults of `launch.experiment.Preparation`.
    """

    config: type
    agent: Callable[[Any, Spec], Agent]
    settings: Mapping[str, Any] = MappingProxyType({})
    actions: Literal["discrete", "continuous"] = "discrete"
    offline: bool = False
    pretraining: Callable[[Any, Spec], Agent] | None = None
    preparation: Mapping[str, Any] = MappingProxyType({})

    def default(self) -> Any:
        """The configuration that the name stands for."""
        return self.config(**self.settings)


REGISTRY: dict[str, Recipe] = {
    "dqn": Recipe(dqn.Config, dqn.agent),
    "mdqn": Recipe(mdqn.Config, mdqn.agent),
    "soft_dqn": Recipe(mdqn.Config, mdqn.agent, mdqn.SOFT_DQN),
    "advantage_learning": Recipe(mdqn.Config, mdqn.agent, mdqn.ADVANTAGE_LEARNING),
    "iqn": Recipe(iqn.Config, iqn.agent),
    "miqn": Recipe(miqn.Config, miqn.agent),
    "deep_cpi": Recipe(deep_cpi.Config, deep_cpi.agent),
    "momentum_dqn": Recipe(momentum_dqn.Config, momentum_dqn.agent),
    "md_direct": Recipe(
        mirror_descent.Config, mirror_descent.agent, {"actor": "direct"}
    ),
    "md_indirect": Recipe(
        mirror_descent.Config, mirror_descent.agent, {"actor": "indirect"}
    ),
    "dual_averaging": Recipe(
        mirror_descent.Config, mirror_descent.agent, {"actor": "averaging"}
    ),
    "dvw_dqn": Recipe(
        variance_weighting.Config,
        variance_weighting.agent,
        {"temperature": 0.0, "munchausen": 0.0},
    ),
    "dvw_mdqn": Recipe(variance_weighting.Config, variance_weighting.agent),
    "iq": Recipe(implicit_q.Config, implicit_q.agent, actions="continuous"),
    "sac": Recipe(sac.Config, sac.agent, actions="continuous"),
    "td3": Recipe(td3.Config, td3.agent, actions="continuous"),
    "bc": Recipe(bc.Config, bc.agent, actions="continuous", offline=True),
    "td3_bc": Recipe(td3_bc.Config, td3_bc.agent, actions="continuous", offline=True),
    "anti_exploration": Recipe(
        anti_exploration.Config,
        anti_exploration.agent,
        actions="continuous",
        offline=True,
        pretraining=anti_exploration.pretraining,
        preparation={"scale_rewards": True},
    ),
    "anti_exploration_code": Recipe(
        anti_exploration.Config,
        anti_exploration.agent,
        anti_exploration.RESEARCH_CODE,
        actions="continuous",
        offline=True,
        pretraining=anti_exploration.pretraining,
        preparation={"scale_rewards": True},
    ),
    "ploff": Recipe(
        ploff.Config,
        ploff.agent,
        actions="continuous",
        offline=True,
        pretraining=metric.pretraining,
        preparation={"scale_rewards": True},
    ),
}
