"""The registry of agents: one entry for each paper and each named limit of a paper.

A paper's module is imported when its recipe is used, so that a run imports only its
paper.

A user's package has its own `REGISTRY` in any module. Everywhere else its agents are
called `<module>:<name>`, so that `find` needs no other list of them.
"""

import contextlib
import dataclasses
import importlib
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from agents.parts.checks import InvalidSetting
from agents.parts.contract import Agent, Preparation, Spec, Stage


class UnusableAgent(ValueError):
    """A user's agent that cannot be used; the message is one line: where and why."""


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
        shared: fields of `Config`, by network, in which a run that gives the network
            its weights must agree with this agent, if its agent has these fields.
        measured_from: networks whose outputs are differences from those of another
            one, and that one: each must have begun with the other's weights.
    """

    module: str
    variant: str = ""
    actions: Literal["discrete", "continuous", "tokens"] = "discrete"
    dataset: Preparation | None = None
    shared: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    measured_from: Mapping[str, str] = MappingProxyType({})

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
            UnusableAgent: a user's agent raised something else than a refusal.
        """
        with self._placed():
            return self._load().agent(config, spec)

    def stages(self, config: Any, spec: Spec) -> list[Stage]:
        """Builds the stages of a run, in order; the last one is the agent that acts.

        Raises:
            ValueError: the agent does not fit the environment.
            UnusableAgent: a user's agent raised something else than a refusal.
        """
        module = self._load()
        with self._placed():
            if hasattr(module, "stages"):
                return module.stages(config, spec)
            return [Stage(module.agent(config, spec))]

    def check(self, name: str) -> None:
        """Refuses a recipe whose module does not have what it must.

        Args:
            name: of the agent, as the message calls it.

        Raises:
            UnusableAgent: the module cannot be imported, has no dataclass `Config` with
                defaults or no function `agent`, or lacks the variant or a shared field.
        """
        module = import_module(self.module)
        parts = {"Config": "a frozen dataclass", "agent": "a function (config, spec)"}
        for part, kind in parts.items():
            if not callable(getattr(module, part, None)):
                raise UnusableAgent(
                    f"{self.module} must define {part}, {kind}, for the agent {name}"
                )
        if not dataclasses.is_dataclass(module.Config):
            raise UnusableAgent(
                f"{self.module}.Config must be a frozen dataclass, got {module.Config}"
            )
        if self.variant and not isinstance(getattr(module, self.variant, 0), Mapping):
            raise UnusableAgent(
                f"{self.module} must define {self.variant}, a dictionary of the fields "
                f"in which the agent {name} differs from Config's defaults"
            )
        try:
            self.config()
            self.default()
        except Exception as error:
            raise UnusableAgent(
                f"{self.module}.Config must have valid defaults for all fields, but "
                f"{_reason(error)}"
            ) from error
        self._check_networks(name, module)

    def _check_networks(self, name: str, module: Any) -> None:
        """Refuses `shared` and `measured_from` that cannot be used."""
        fields = {field.name for field in dataclasses.fields(module.Config)}
        shared: dict[str, Any] = {**self.shared}  # a user may have written anything
        for network, names in shared.items():
            if isinstance(names, str) or not fields.issuperset(names):
                raise UnusableAgent(
                    f"shared[{network!r}] of the agent {name} must be a tuple of "
                    f"fields of {self.module}.Config, got {names!r}"
                )
        measured: Any = self.measured_from
        if not isinstance(measured, Mapping) or not all(
            isinstance(each, str) for pair in measured.items() for each in pair
        ):
            raise UnusableAgent(
                f"measured_from of the agent {name} must be a dictionary from names of "
                f"networks to names of networks, got {measured!r}"
            )

    @contextlib.contextmanager
    def _placed(self) -> Iterator[None]:
        """Context in which an error of a user's agent gets the place of its cause.

        A setting that the agent refuses has a message that says all.
        """
        try:
            yield
        except InvalidSetting:
            raise
        except Exception as error:
            if self.module.partition(".")[0] == __name__:  # ours refuse by ValueError
                raise
            raise UnusableAgent(f"{self.module}: {_reason(error)}") from error

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
    "sft": Recipe("agents.sft", actions="tokens"),
    "inverse_rl": Recipe("agents.inverse_rl", actions="tokens"),
    "gkd": Recipe("agents.gkd", actions="tokens"),
    "supervised_kd": Recipe("agents.gkd", "SUPERVISED_KD", actions="tokens"),
    "seq_kd": Recipe("agents.gkd", "SEQ_KD", actions="tokens"),
    "warp": Recipe("agents.warp", actions="tokens"),
    "rlef": Recipe("agents.rlef", actions="tokens", measured_from={"value": "sft"}),
    "bond": Recipe("agents.bond", "BOND", actions="tokens"),
    "jbond": Recipe("agents.bond", actions="tokens"),
    "reward_model": Recipe(
        "agents.reward_model", actions="tokens", measured_from={"reward": "sft"}
    ),
    "warm": Recipe("agents.warm", actions="tokens", measured_from={"reward": "sft"}),
    "f_divergence": Recipe("agents.f_divergence", actions="tokens"),
    "f_distillation": Recipe(
        "agents.f_divergence",
        "DISTILLATION",
        actions="tokens",
        shared={"teacher": ("divergence", "alpha", "measure")},
    ),
    "bc": _offline("agents.bc"),
    "td3_bc": _offline("agents.td3_bc"),
    "anti_exploration": _offline("agents.anti_exploration.agent", scale_rewards=True),
    "anti_exploration_code": _offline(
        "agents.anti_exploration.agent", "RESEARCH_CODE", scale_rewards=True
    ),
    "ploff": _offline("agents.ploff.agent", scale_rewards=True),
}


def find(name: str) -> Recipe:
    """The recipe of an agent, ready for use.

    Args:
        name: a key of `REGISTRY`, or `<module>:<name>` for an agent of that module.

    Raises:
        UnusableAgent: there is no such agent, or it cannot be used.
    """
    if name in REGISTRY:
        return REGISTRY[name]
    recipe = look_up(name)
    recipe.check(name)
    return recipe


def look_up(name: str) -> Recipe:
    """As `find`, but imports only the module that has the recipe, not the agent's.

    Raises:
        UnusableAgent: there is no such agent.
    """
    if name in REGISTRY:
        return REGISTRY[name]
    module, colon, own = name.partition(":")
    if not colon:
        raise UnusableAgent(
            f"there is no agent {name!r}: name one of {', '.join(REGISTRY)}, or "
            "my_module:name for an agent of yours"
        )
    recipe = getattr(import_module(module), own, None)
    if isinstance(recipe, Recipe):
        return recipe
    found = registry_of(module)
    if own not in found:
        raise UnusableAgent(
            f"{module}.REGISTRY has no agent {own!r}; it has {', '.join(found)}"
        )
    return found[own]


def registry_of(module: str) -> Mapping[str, Recipe]:
    """The agents of a user's module, by name.

    Raises:
        UnusableAgent: the module cannot be imported, or has no valid `REGISTRY`.
    """
    wanted = f"{module} must have REGISTRY, a dictionary from names to agents.Recipe"
    found = getattr(import_module(module), "REGISTRY", None)
    if found is None:
        raise UnusableAgent(f"{wanted}: it has no REGISTRY")
    if not isinstance(found, Mapping) or not found:
        raise UnusableAgent(f"{wanted} with at least one agent, got {found!r:.80}")
    for name, recipe in found.items():
        _check_entry(wanted, name, recipe)
    return found


def _check_entry(wanted: str, name: Any, recipe: Any) -> None:
    """Refuses an entry of a user's `REGISTRY` that is no name or no recipe."""
    if not isinstance(name, str) or not name.isidentifier():
        raise UnusableAgent(
            f"{wanted}; a name must consist of letters, digits and _, got {name!r}"
        )
    if not isinstance(recipe, Recipe):
        raise UnusableAgent(f"{wanted}, got {recipe!r:.80} for {name}")
    if recipe.actions not in ("discrete", "continuous", "tokens"):
        raise UnusableAgent(
            f"{wanted}; actions of {name} must be discrete, continuous or tokens, got "
            f"{recipe.actions!r}"
        )
    if not isinstance(recipe.dataset, Preparation | None):
        raise UnusableAgent(
            f"{wanted}; dataset of {name} must be a Preparation or None, got "
            f"{recipe.dataset!r:.80}"
        )


def import_module(name: str) -> Any:
    """Imports a user's module.

    Raises:
        UnusableAgent: it does not exist, or fails; the message has file and line.
    """
    if "/" in name or name.startswith(".") or name.endswith(".py"):
        raise UnusableAgent(
            "a module must be named as Python imports it, such as "
            f"my_package.my_module, got {name!r}: put its folder on PYTHONPATH and "
            "leave out path and .py"
        )
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and f"{name}.".startswith(f"{error.name}."):
            raise UnusableAgent(
                f"Python must find the module {name}, but does not: start in the "
                "folder that holds it, put that folder on PYTHONPATH, or install its "
                "package with pip"
            ) from error
        raise UnusableAgent(f"{name} cannot be imported: {_reason(error)}") from error
    except (Exception, SystemExit) as error:  # a user's code may raise anything
        raise UnusableAgent(f"{name} cannot be imported: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """An error of a user's code as one line, with the place where it was raised."""
    text = f"{type(error).__name__}: {' '.join(str(error).split())}"
    if isinstance(error, SyntaxError):
        return text  # which has the place
    return f"{text} ({place(error)})"


def place(error: BaseException) -> str:
    """File and line where a user's code raised an error, or called what raised it."""
    here = Path(__file__).resolve().parents[1]
    frames = traceback.extract_tb(error.__traceback__)
    libraries = ("site-packages", "importlib")
    own = [
        each for each in frames if not any(name in each.filename for name in libraries)
    ]
    users = [each for each in own if here not in Path(each.filename).parents]
    last = (users or own or frames)[-1]
    return f"{last.filename}, line {last.lineno}"
